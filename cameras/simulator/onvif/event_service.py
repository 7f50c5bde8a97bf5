"""The event service: pull points with long polls. Source: ONVIF Core Specification 22.12, 9."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from cameras.simulator.events import MOTION_TOPIC, Notice, PullPoint
from cameras.simulator.onvif.durations import parse_duration_s, parse_termination_ns
from cameras.simulator.onvif.markup import Markup, join, tag
from cameras.simulator.onvif.media_service import SOURCE_CONFIGURATION
from cameras.simulator.onvif.operations import Call, Service, number, operations
from cameras.simulator.onvif.request import SoapFault, invalid_argument
from cameras.simulator.onvif.security import Level
from vms.base.clock import NS_PER_SECOND, utc_text

SUBSCRIPTION_PATH = "/onvif/subscription/"
MAXIMUM_POLL_S = 60.0
MAXIMUM_MESSAGES = 100
MAXIMUM_LEASE_S = 3_600.0
_DEFAULT_LEASE_S = 60.0
_CONCRETE = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
_ITEM_FILTER = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"


def _termination_ns(call: Call, element: str) -> int:
    now_ns = call.device.utc_ns()
    ends_ns = parse_termination_ns(call.text(element), now_ns, _DEFAULT_LEASE_S)
    if ends_ns <= now_ns:
        raise invalid_argument("UnacceptableTerminationTime", "The termination time has passed")
    return min(ends_ns, now_ns + round(MAXIMUM_LEASE_S * NS_PER_SECOND))


def _create(call: Call) -> Markup:
    device, now_ns = call.device, call.device.utc_ns()
    point = device.pull_points.open(now_ns, _termination_ns(call, "InitialTerminationTime"))
    if point is None:
        raise SoapFault("Receiver", ("Action", "MaxPullPoints"), "Too many pull points")
    address = device.http_url(f"{SUBSCRIPTION_PATH}{point.number}")
    return tag(
        "tev:CreatePullPointSubscriptionResponse",
        tag("tev:SubscriptionReference", tag("wsa:Address", address)),
        tag("wsnt:CurrentTime", utc_text(now_ns)),
        tag("wsnt:TerminationTime", utc_text(point.ends_ns)),
    )


def _point(call: Call) -> PullPoint:
    point = call.device.pull_points.get(call.subscription, call.device.utc_ns())
    if point is None:
        raise SoapFault("Sender", ("InvalidArgVal", "ResourceUnknown"), "The subscription has ended")
    return point


def _pull(call: Call) -> Awaitable[Markup]:
    point = _point(call)
    timeout_s = min(MAXIMUM_POLL_S, parse_duration_s(call.text("Timeout") or "PT1S"))
    limit = round(min(MAXIMUM_MESSAGES, max(1.0, number(call.text("MessageLimit"), MAXIMUM_MESSAGES))))
    return _wait_and_pull(call, point, timeout_s, limit)


async def _wait_and_pull(call: Call, point: PullPoint, timeout_s: float, limit: int) -> Markup:
    if not point.queue:
        arrival = asyncio.ensure_future(point.arrived.wait())
        end = asyncio.ensure_future(call.device.clock.sleep(timeout_s))
        try:
            await asyncio.wait((arrival, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
            end.cancel()
    if point.closed:
        raise SoapFault("Sender", ("InvalidArgVal", "ResourceUnknown"), "The subscription has ended")
    return tag(
        "tev:PullMessagesResponse",
        tag("tev:CurrentTime", utc_text(call.device.utc_ns())),
        tag("tev:TerminationTime", utc_text(point.ends_ns)),
        *(_message(notice) for notice in point.take(limit)),
    )


def _message(notice: Notice) -> Markup:
    def item(name: str, value: str) -> Markup:
        return tag("tt:SimpleItem", Name=name, Value=value)

    source = join(
        item("VideoSourceConfigurationToken", SOURCE_CONFIGURATION),
        item("VideoAnalyticsConfigurationToken", "video_analytics_1"),
        item("Rule", "motion_1"),
    )
    content = tag(
        "tt:Message",
        tag("tt:Source", source),
        tag("tt:Data", item("IsMotion", "true" if notice.motion else "false")),
        UtcTime=utc_text(notice.at_ns),
        PropertyOperation=notice.operation,
    )
    return tag(
        "wsnt:NotificationMessage",
        tag("wsnt:Topic", MOTION_TOPIC, Dialect=_CONCRETE),
        tag("wsnt:Message", content),
    )


def _synchronise(call: Call) -> Markup:
    point = _point(call)
    point.put(Notice(call.device.utc_ns(), call.device.pull_points.motion, "Initialized"))
    return tag("tev:SetSynchronizationPointResponse")


def _renew(call: Call) -> Markup:
    point = _point(call)
    point.ends_ns = _termination_ns(call, "TerminationTime")
    return tag(
        "wsnt:RenewResponse",
        tag("wsnt:TerminationTime", utc_text(point.ends_ns)),
        tag("wsnt:CurrentTime", utc_text(call.device.utc_ns())),
    )


def _unsubscribe(call: Call) -> Markup:
    call.device.pull_points.drop(_point(call).number)
    return tag("wsnt:UnsubscribeResponse")


def _event_properties(_: Call) -> Markup:
    motion = tag(
        "Motion",
        tag(
            "tt:MessageDescription",
            tag(
                "tt:Source",
                tag("tt:SimpleItemDescription", Name="VideoSourceConfigurationToken", Type="tt:ReferenceToken"),
                tag("tt:SimpleItemDescription", Name="VideoAnalyticsConfigurationToken", Type="tt:ReferenceToken"),
                tag("tt:SimpleItemDescription", Name="Rule", Type="xs:string"),
            ),
            tag("tt:Data", tag("tt:SimpleItemDescription", Name="IsMotion", Type="xs:boolean")),
            IsProperty=True,
        ),
        wstop__topic=True,
    )
    return tag(
        "tev:GetEventPropertiesResponse",
        tag("tev:TopicNamespaceLocation", "http://www.onvif.org/onvif/ver10/topics/topicns.xml"),
        tag("wsnt:FixedTopicSet", "true"),
        tag("wstop:TopicSet", tag("tns1:RuleEngine", tag("CellMotionDetector", motion))),
        tag("wsnt:TopicExpressionDialect", _CONCRETE),
        tag("tev:MessageContentFilterDialect", _ITEM_FILTER),
        tag("tev:MessageContentSchemaLocation", "http://www.onvif.org/onvif/ver10/schema/onvif.xsd"),
    )


def _service_capabilities(_: Call) -> Markup:
    capabilities = tag(
        "tev:Capabilities",
        WSSubscriptionPolicySupport=False,
        WSPullPointSupport=True,
        WSPausableSubscriptionManagerInterfaceSupport=False,
        MaxPullPoints=16,
        PersistentNotificationStorage=False,
    )
    return tag("tev:GetServiceCapabilitiesResponse", capabilities)


EVENT_SERVICE: Service = {
    **operations(Level.ANONYMOUS, ("GetServiceCapabilities", _service_capabilities)),
    **operations(
        Level.USER,
        ("GetEventProperties", _event_properties),
        ("CreatePullPointSubscription", _create),
        ("PullMessages", _pull),
        ("SetSynchronizationPoint", _synchronise),
    ),
}
SUBSCRIPTION_SERVICE: Service = operations(Level.USER, ("Renew", _renew), ("Unsubscribe", _unsubscribe))
