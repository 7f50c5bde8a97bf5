"""The device management service. Source: ONVIF Core Specification, 8; device WSDL ver10."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cameras.simulator.device import Device
from cameras.simulator.onvif.markup import NAMESPACES, Markup, join, tag
from cameras.simulator.onvif.operations import Call, Service, operations
from cameras.simulator.onvif.request import SoapFault, child, child_text, invalid_argument
from cameras.simulator.onvif.security import LEVEL_NAMES, Account, Level
from cameras.simulator.spec import DEVICE_PATH
from vms.base.clock import NS_PER_SECOND

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAXIMUM_USERS = 16
SERVICE_PATHS = {
    "tds": DEVICE_PATH,
    "trt": "/onvif/media_service",
    "tr2": "/onvif/media2_service",
    "tev": "/onvif/event_service",
    "tptz": "/onvif/ptz_service",
}
_VERSIONS = {"tds": (22, 12), "trt": (21, 6), "tr2": (22, 12), "tev": (22, 6), "tptz": (22, 12)}


def _prefixes(device: Device) -> list[str]:
    return [prefix for prefix in SERVICE_PATHS if prefix != "tptz" or device.spec.ptz]


def _system_date_and_time(call: Call) -> Markup:
    device = call.device
    now = datetime.fromtimestamp(device.utc_ns() // NS_PER_SECOND, UTC)
    moment = join(
        tag("tt:Time", tag("tt:Hour", now.hour), tag("tt:Minute", now.minute), tag("tt:Second", now.second)),
        tag("tt:Date", tag("tt:Year", now.year), tag("tt:Month", now.month), tag("tt:Day", now.day)),
    )
    return tag(
        "tds:GetSystemDateAndTimeResponse",
        tag(
            "tds:SystemDateAndTime",
            tag("tt:DateTimeType", device.time_source),
            tag("tt:DaylightSavings", "false"),
            tag("tt:TimeZone", tag("tt:TZ", "UTC0")),
            tag("tt:UTCDateTime", moment),
        ),
    )


def _set_system_date_and_time(call: Call) -> Markup:
    source = call.text("DateTimeType")
    if source not in {"Manual", "NTP"}:
        raise invalid_argument("InvalidArgs", "DateTimeType is Manual or NTP")
    if source == "NTP":
        call.device.synchronise_clock()
    elif child(call.body, "UTCDateTime") is not None:
        date, time = ("UTCDateTime", "Date"), ("UTCDateTime", "Time")
        fields = (
            *((*date, part) for part in ("Year", "Month", "Day")),
            *((*time, p) for p in ("Hour", "Minute", "Second")),
        )
        try:
            year, month, day, hour, minute, second = (int(call.text(*path)) for path in fields)
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except (ValueError, OverflowError):
            raise SoapFault("Sender", ("InvalidArgVal", "InvalidDateTime"), "An invalid date or time") from None
        call.device.set_clock(int(moment.timestamp()) * NS_PER_SECOND)
    call.device.time_source = source
    return tag("tds:SetSystemDateAndTimeResponse")


def _device_information(call: Call) -> Markup:
    spec = call.device.spec
    return tag(
        "tds:GetDeviceInformationResponse",
        tag("tds:Manufacturer", spec.manufacturer),
        tag("tds:Model", spec.model),
        tag("tds:FirmwareVersion", spec.firmware),
        tag("tds:SerialNumber", spec.serial),
        tag("tds:HardwareId", spec.mac.upper()),
    )


def _services(call: Call) -> Markup:
    return tag(
        "tds:GetServicesResponse",
        *(
            tag(
                "tds:Service",
                tag("tds:Namespace", NAMESPACES[prefix]),
                tag("tds:XAddr", call.device.http_url(SERVICE_PATHS[prefix])),
                tag("tds:Version", tag("tt:Major", _VERSIONS[prefix][0]), tag("tt:Minor", _VERSIONS[prefix][1])),
            )
            for prefix in _prefixes(call.device)
        ),
    )


def _service_capabilities(_: Call) -> Markup:
    return tag(
        "tds:GetServiceCapabilitiesResponse",
        tag(
            "tds:Capabilities",
            tag("tds:Network", NTP=1),
            tag("tds:Security", UsernameToken=True, HttpDigest=True, MaxUsers=MAXIMUM_USERS),
            tag("tds:System", DiscoveryResolve=True, DiscoveryBye=True),
        ),
    )


def _capabilities(call: Call) -> Markup:
    device = call.device
    url = {prefix: tag("tt:XAddr", device.http_url(path)) for prefix, path in SERVICE_PATHS.items()}
    no_extras = ("RemoteDiscovery", "SystemBackup", "SystemLogging", "FirmwareUpgrade")
    no_security = ("TLS1.1", "TLS1.2", "OnboardKeyGeneration", "AccessPolicyConfig")
    no_tokens = ("X.509Token", "SAMLToken", "KerberosToken", "RELToken")
    system = tag(
        "tt:System",
        tag("tt:DiscoveryResolve", "true"),
        tag("tt:DiscoveryBye", "true"),
        *(tag(f"tt:{name}", "false") for name in no_extras),
        tag("tt:SupportedVersions", tag("tt:Major", 22), tag("tt:Minor", 12)),
    )
    security = tag("tt:Security", *(tag(f"tt:{name}", "false") for name in (*no_security, *no_tokens)))
    known = {
        "Device": tag("tt:Device", url["tds"], system, security),
        "Events": tag(
            "tt:Events",
            url["tev"],
            tag("tt:WSSubscriptionPolicySupport", "false"),
            tag("tt:WSPullPointSupport", "true"),
            tag("tt:WSPausableSubscriptionManagerInterfaceSupport", "false"),
        ),
        "Media": tag(
            "tt:Media",
            url["trt"],
            tag(
                "tt:StreamingCapabilities",
                tag("tt:RTPMulticast", "false"),
                tag("tt:RTP_TCP", "false"),
                tag("tt:RTP_RTSP_TCP", "true"),
            ),
        ),
    }
    if device.spec.ptz:
        known["PTZ"] = tag("tt:PTZ", url["tptz"])
    wanted = call.text("Category") or "All"
    if wanted != "All" and wanted not in known:
        raise SoapFault("Receiver", ("ActionNotSupported", "NoSuchService"), "The requested service is not supported")
    chosen = [each for name, each in known.items() if wanted in {"All", name}]
    return tag("tds:GetCapabilitiesResponse", tag("tds:Capabilities", *chosen))


def _scopes(call: Call) -> Markup:
    return tag(
        "tds:GetScopesResponse",
        *(tag("tds:Scopes", tag("tt:ScopeDef", "Fixed"), tag("tt:ScopeItem", scope)) for scope in call.device.scopes()),
    )


def _hostname(call: Call) -> Markup:
    name = f"camera-{call.device.spec.serial.lower()}"
    information = tag("tds:HostnameInformation", tag("tt:FromDHCP", "false"), tag("tt:Name", name))
    return tag("tds:GetHostnameResponse", information)


def _endpoint_reference(call: Call) -> Markup:
    return tag("tds:GetEndpointReferenceResponse", tag("tds:GUID", call.device.endpoint))


def _network_interfaces(call: Call) -> Markup:
    spec = call.device.spec
    hardware = ":".join(spec.mac[place : place + 2] for place in range(0, len(spec.mac), 2)).upper()
    address = tag("tt:Manual", tag("tt:Address", spec.address), tag("tt:PrefixLength", 24))
    return tag(
        "tds:GetNetworkInterfacesResponse",
        tag(
            "tds:NetworkInterfaces",
            tag("tt:Enabled", "true"),
            tag("tt:Info", tag("tt:Name", "eth0"), tag("tt:HwAddress", hardware), tag("tt:MTU", 1500)),
            tag("tt:IPv4", tag("tt:Enabled", "true"), tag("tt:Config", address, tag("tt:DHCP", "false"))),
            token="eth0",  # noqa: S106 - an ONVIF reference token
        ),
    )


def _users(call: Call) -> Markup:
    return tag(
        "tds:GetUsersResponse",
        *(
            tag("tds:User", tag("tt:Username", account.name), tag("tt:UserLevel", LEVEL_NAMES[account.level]))
            for account in call.device.accounts.values()
        ),
    )


def _create_users(call: Call) -> Markup:
    accounts = call.device.accounts
    created = [_account(each) for each in call.body]
    if any(account.name in accounts for account in created):
        raise SoapFault("Sender", ("OperationProhibited", "UsernameClash"), "Username already exists")
    if len(accounts) + len(created) > MAXIMUM_USERS:
        raise SoapFault("Receiver", ("Action", "TooManyUsers"), "Maximum number of supported users exceeded")
    accounts.update((account.name, account) for account in created)
    return tag("tds:CreateUsersResponse")


def _set_user(call: Call) -> Markup:
    changed = [_account(each) for each in call.body]
    for account in changed:
        _known_user(call.device, account.name)
    call.device.accounts.update((account.name, account) for account in changed)
    return tag("tds:SetUserResponse")


def _delete_users(call: Call) -> Markup:
    names = [(each.text or "").strip() for each in call.body]
    for name in names:
        _known_user(call.device, name)
    remaining = [each for name, each in call.device.accounts.items() if name not in names]
    if not any(each.level is Level.ADMINISTRATOR for each in remaining):
        raise SoapFault("Sender", ("InvalidArgVal", "FixedUser"), "The last administrator cannot be deleted")
    for name in names:
        call.device.accounts.pop(name, None)
    return tag("tds:DeleteUsersResponse")


def _account(user: Element) -> Account:
    name, password = child_text(user, "Username"), child_text(user, "Password")
    level = next((each for each, title in LEVEL_NAMES.items() if title == child_text(user, "UserLevel")), None)
    if not name or len(name) > 64:
        raise SoapFault("Sender", ("OperationProhibited", "UsernameTooShort"), "Username length is not acceptable")
    if level is None:
        raise SoapFault("Sender", ("InvalidArgVal", "AnonymousNotAllowed"), "User level is not allowed")
    if not 8 <= len(password) <= 128:
        raise SoapFault("Sender", ("OperationProhibited", "PasswordTooWeak"), "Password length is not acceptable")
    return Account(name, level, password)


def _known_user(device: Device, name: str) -> None:
    if name not in device.accounts:
        raise SoapFault("Sender", ("InvalidArgVal", "UsernameMissing"), "Username not recognized")


def _ntp(call: Call) -> Markup:
    servers = (
        tag("tt:NTPManual", tag("tt:Type", kind), tag("tt:DNSname" if kind == "DNS" else f"tt:{kind}Address", host))
        for kind, host in call.device.ntp_servers
    )
    return tag("tds:GetNTPResponse", tag("tds:NTPInformation", tag("tt:FromDHCP", "false"), *servers))


def _set_ntp(call: Call) -> Markup:
    servers: list[tuple[str, str]] = []
    for each in call.body:
        if each.tag.rpartition("}")[2] == "NTPManual":
            kind = child_text(each, "Type")
            host = child_text(each, "DNSname" if kind == "DNS" else f"{kind}Address")
            if kind not in {"IPv4", "IPv6", "DNS"} or not host:
                raise invalid_argument("InvalidDnsName", "A time server needs a type and an address")
            servers.append((kind, host))
    call.device.ntp_servers = tuple(servers[:4])
    return tag("tds:SetNTPResponse")


def _reboot(call: Call) -> Markup:
    call.device.reboot_wanted = True
    return tag("tds:SystemRebootResponse", tag("tds:Message", "Rebooting"))


DEVICE_SERVICE: Service = {
    **operations(
        Level.ANONYMOUS,
        ("GetSystemDateAndTime", _system_date_and_time),
        ("GetServices", _services),
        ("GetServiceCapabilities", _service_capabilities),
        ("GetCapabilities", _capabilities),
        ("GetHostname", _hostname),
        ("GetEndpointReference", _endpoint_reference),
    ),
    **operations(
        Level.USER,
        ("GetDeviceInformation", _device_information),
        ("GetScopes", _scopes),
        ("GetNetworkInterfaces", _network_interfaces),
        ("GetNTP", _ntp),
    ),
    **operations(
        Level.ADMINISTRATOR,
        ("SetSystemDateAndTime", _set_system_date_and_time),
        ("GetUsers", _users),
        ("CreateUsers", _create_users),
        ("SetUser", _set_user),
        ("DeleteUsers", _delete_users),
        ("SetNTP", _set_ntp),
        ("SystemReboot", _reboot),
    ),
}
