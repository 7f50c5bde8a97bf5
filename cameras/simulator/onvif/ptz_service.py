"""The PTZ service over the camera's head. Source: ONVIF PTZ Service Specification 22.12."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from cameras.simulator.device import Device
from cameras.simulator.onvif.durations import parse_duration_s
from cameras.simulator.onvif.markup import Markup, join, tag
from cameras.simulator.onvif.operations import Call, Handler, Service, number, operations, stream_of_profile
from cameras.simulator.onvif.request import SoapFault, child, invalid_argument
from cameras.simulator.onvif.security import Level
from cameras.simulator.ptz import DEFAULT_TIMEOUT_S, MAXIMUM_PRESETS, Position
from vms.base.clock import utc_text

NODE = "ptz_node_1"
CONFIGURATION = "ptz_config_1"
_SPACES = "http://www.onvif.org/ver10/tptz"
_PAN_TILT_POSITION = f"{_SPACES}/PanTiltSpaces/PositionGenericSpace"
_ZOOM_POSITION = f"{_SPACES}/ZoomSpaces/PositionGenericSpace"
_PAN_TILT_TRANSLATION = f"{_SPACES}/PanTiltSpaces/TranslationGenericSpace"
_ZOOM_TRANSLATION = f"{_SPACES}/ZoomSpaces/TranslationGenericSpace"
_PAN_TILT_VELOCITY = f"{_SPACES}/PanTiltSpaces/VelocityGenericSpace"
_ZOOM_VELOCITY = f"{_SPACES}/ZoomSpaces/VelocityGenericSpace"
_PAN_TILT_SPEED = f"{_SPACES}/PanTiltSpaces/GenericSpeedSpace"
_ZOOM_SPEED = f"{_SPACES}/ZoomSpaces/ZoomGenericSpeedSpace"


def _limits(name: str, low: float, high: float) -> Markup:
    return tag(name, tag("tt:Min", low), tag("tt:Max", high))


def _plane(name: str, space: str) -> Markup:
    return tag(name, tag("tt:URI", space), _limits("tt:XRange", -1.0, 1.0), _limits("tt:YRange", -1.0, 1.0))


def _line(name: str, space: str, low: float) -> Markup:
    return tag(name, tag("tt:URI", space), _limits("tt:XRange", low, 1.0))


def _spaces() -> Markup:
    return join(
        _plane("tt:AbsolutePanTiltPositionSpace", _PAN_TILT_POSITION),
        _line("tt:AbsoluteZoomPositionSpace", _ZOOM_POSITION, 0.0),
        _plane("tt:RelativePanTiltTranslationSpace", _PAN_TILT_TRANSLATION),
        _line("tt:RelativeZoomTranslationSpace", _ZOOM_TRANSLATION, -1.0),
        _plane("tt:ContinuousPanTiltVelocitySpace", _PAN_TILT_VELOCITY),
        _line("tt:ContinuousZoomVelocitySpace", _ZOOM_VELOCITY, -1.0),
        _line("tt:PanTiltSpeedSpace", _PAN_TILT_SPEED, 0.0),
        _line("tt:ZoomSpeedSpace", _ZOOM_SPEED, 0.0),
    )


def ptz_configuration(device: Device, name: str) -> Markup:
    """The one PTZ configuration of the camera, as an element called `name`."""
    return tag(
        name,
        tag("tt:Name", "Tourelle"),
        tag("tt:UseCount", len(device.streams)),
        tag("tt:NodeToken", NODE),
        tag("tt:DefaultAbsolutePantTiltPositionSpace", _PAN_TILT_POSITION),
        tag("tt:DefaultAbsoluteZoomPositionSpace", _ZOOM_POSITION),
        tag("tt:DefaultRelativePanTiltTranslationSpace", _PAN_TILT_TRANSLATION),
        tag("tt:DefaultRelativeZoomTranslationSpace", _ZOOM_TRANSLATION),
        tag("tt:DefaultContinuousPanTiltVelocitySpace", _PAN_TILT_VELOCITY),
        tag("tt:DefaultContinuousZoomVelocitySpace", _ZOOM_VELOCITY),
        tag(
            "tt:DefaultPTZSpeed",
            tag("tt:PanTilt", x=1.0, y=1.0, space=_PAN_TILT_SPEED),
            tag("tt:Zoom", x=1.0, space=_ZOOM_SPEED),
        ),
        tag("tt:DefaultPTZTimeout", f"PT{DEFAULT_TIMEOUT_S:g}S"),
        tag("tt:PanTiltLimits", _plane("tt:Range", _PAN_TILT_POSITION)),
        tag("tt:ZoomLimits", _line("tt:Range", _ZOOM_POSITION, 0.0)),
        token=CONFIGURATION,
    )


def _node() -> Markup:
    return join(
        tag("tt:Name", "Tourelle"),
        tag("tt:SupportedPTZSpaces", _spaces()),
        tag("tt:MaximumNumberOfPresets", MAXIMUM_PRESETS),
        tag("tt:HomeSupported", "false"),
    )


def _nodes(_: Call) -> Markup:
    return tag("tptz:GetNodesResponse", tag("tptz:PTZNode", _node(), token=NODE))


def _one_node(call: Call) -> Markup:
    if call.text("NodeToken") != NODE:
        raise invalid_argument("NoEntity", "No such PTZ node on the device")
    return tag("tptz:GetNodeResponse", tag("tptz:PTZNode", _node(), token=NODE))


def _configurations(call: Call) -> Markup:
    return tag("tptz:GetConfigurationsResponse", ptz_configuration(call.device, "tptz:PTZConfiguration"))


def _configuration_options(call: Call) -> Markup:
    if call.text("ConfigurationToken") != CONFIGURATION:
        raise invalid_argument("NoConfig", "The requested configuration does not exist")
    return tag(
        "tptz:GetConfigurationOptionsResponse",
        tag(
            "tptz:PTZConfigurationOptions",
            tag("tt:Spaces", _spaces()),
            tag("tt:PTZTimeout", tag("tt:Min", "PT1S"), tag("tt:Max", "PT60S")),
        ),
    )


def _vector(position: Position) -> Markup:
    return join(
        tag("tt:PanTilt", x=round(position.pan, 4), y=round(position.tilt, 4), space=_PAN_TILT_POSITION),
        tag("tt:Zoom", x=round(position.zoom, 4), space=_ZOOM_POSITION),
    )


def _status(call: Call) -> Markup:
    stream_of_profile(call)
    device, now_ns = call.device, call.device.clock.monotonic_ns()
    head = device.head
    return tag(
        "tptz:GetStatusResponse",
        tag(
            "tptz:PTZStatus",
            tag("tt:Position", _vector(head.position(now_ns))),
            tag(
                "tt:MoveStatus",
                tag("tt:PanTilt", "MOVING" if head.pan_tilt_moving(now_ns) else "IDLE"),
                tag("tt:Zoom", "MOVING" if head.zoom_moving(now_ns) else "IDLE"),
            ),
            tag("tt:UtcTime", utc_text(device.utc_ns())),
        ),
    )


def _pan_tilt(call: Call, name: str) -> tuple[float, float] | None:
    element = child(call.body, name, "PanTilt")
    return None if element is None else (number(element.get("x", ""), 0.0), number(element.get("y", ""), 0.0))


def _zoom(call: Call, name: str) -> float | None:
    element = child(call.body, name, "Zoom")
    return None if element is None else number(element.get("x", ""), 0.0)


def _speed(call: Call) -> float:
    pan_tilt = _pan_tilt(call, "Speed")
    return 1.0 if pan_tilt is None else max(abs(pan_tilt[0]), abs(pan_tilt[1]))


def _within(pan_tilt: tuple[float, float] | None, zoom: float | None, low_zoom: float) -> None:
    outside = pan_tilt is not None and not all(-1.0 <= value <= 1.0 for value in pan_tilt)
    if outside or (zoom is not None and not low_zoom <= zoom <= 1.0):
        raise invalid_argument("InvalidPosition", "The requested position is out of bounds")
    if pan_tilt is None and zoom is None:
        raise invalid_argument("InvalidTranslation", "No axis is named")


def _absolute_move(call: Call) -> Markup:
    stream_of_profile(call)
    pan_tilt, zoom = _pan_tilt(call, "Position"), _zoom(call, "Position")
    _within(pan_tilt, zoom, 0.0)
    call.device.head.move_to(call.device.clock.monotonic_ns(), pan_tilt, zoom, _speed(call))
    return tag("tptz:AbsoluteMoveResponse")


def _relative_move(call: Call) -> Markup:
    stream_of_profile(call)
    pan_tilt, zoom = _pan_tilt(call, "Translation"), _zoom(call, "Translation")
    _within(pan_tilt, zoom, -1.0)
    call.device.head.move_by(call.device.clock.monotonic_ns(), pan_tilt, zoom, _speed(call))
    return tag("tptz:RelativeMoveResponse")


def _continuous_move(call: Call) -> Markup:
    stream_of_profile(call)
    pan_tilt, zoom = _pan_tilt(call, "Velocity"), _zoom(call, "Velocity")
    _within(pan_tilt, zoom, -1.0)
    timeout = call.text("Timeout")
    timeout_s = min(60.0, parse_duration_s(timeout)) if timeout else DEFAULT_TIMEOUT_S
    call.device.head.move_on(call.device.clock.monotonic_ns(), pan_tilt, zoom, timeout_s)
    return tag("tptz:ContinuousMoveResponse")


def _stop(call: Call) -> Markup:
    stream_of_profile(call)
    no = {"false", "0"}
    now_ns = call.device.clock.monotonic_ns()
    call.device.head.stop(now_ns, pan_tilt=call.text("PanTilt") not in no, zoom=call.text("Zoom") not in no)
    return tag("tptz:StopResponse")


def _presets(call: Call) -> Markup:
    stream_of_profile(call)
    return tag(
        "tptz:GetPresetsResponse",
        *(
            tag(
                "tptz:Preset",
                tag("tt:Name", preset.name),
                tag("tt:PTZPosition", _vector(preset.position)),
                token=preset.token,
            )
            for preset in call.device.head.presets.values()
        ),
    )


def _set_preset(call: Call) -> Markup:
    stream_of_profile(call)
    token, name = call.text("PresetToken"), call.text("PresetName")
    if len(name) > 64:
        raise invalid_argument("InvalidPresetName", "The preset name is too long")
    preset = call.device.head.save_preset(call.device.clock.monotonic_ns(), token, name)
    if preset is None and token:
        raise invalid_argument("NoToken", "The requested preset token does not exist")
    if preset is None:
        raise SoapFault("Receiver", ("Action", "TooManyPresets"), "Maximum number of presets reached")
    return tag("tptz:SetPresetResponse", tag("tptz:PresetToken", preset.token))


def _known_preset(call: Call) -> Position:
    stream_of_profile(call)
    preset = call.device.head.presets.get(call.text("PresetToken"))
    if preset is None:
        raise invalid_argument("NoToken", "The requested preset token does not exist")
    return preset.position


def _goto_preset(call: Call) -> Markup:
    position = _known_preset(call)
    now_ns = call.device.clock.monotonic_ns()
    call.device.head.move_to(now_ns, (position.pan, position.tilt), position.zoom, _speed(call))
    return tag("tptz:GotoPresetResponse")


def _remove_preset(call: Call) -> Markup:
    _known_preset(call)
    call.device.head.presets.pop(call.text("PresetToken"))
    return tag("tptz:RemovePresetResponse")


def _service_capabilities(_: Call) -> Markup:
    capabilities = tag("tptz:Capabilities", EFlip=False, Reverse=False, MoveStatus=True, StatusPosition=True)
    return tag("tptz:GetServiceCapabilitiesResponse", capabilities)


def _on_a_head(handler: Handler) -> Handler:
    """The handler, for cameras that can move; the others do not know the service."""

    def guarded(call: Call) -> Markup | Awaitable[Markup]:
        if not call.device.spec.ptz:
            raise SoapFault("Receiver", ("ActionNotSupported",), "PTZ is not supported by this device")
        return handler(call)

    return guarded


_SERVICE: Service = {
    **operations(Level.ANONYMOUS, ("GetServiceCapabilities", _service_capabilities)),
    **operations(
        Level.USER,
        ("GetNodes", _nodes),
        ("GetNode", _one_node),
        ("GetConfigurations", _configurations),
        ("GetConfigurationOptions", _configuration_options),
        ("GetStatus", _status),
        ("GetPresets", _presets),
    ),
    **operations(
        Level.OPERATOR,
        ("AbsoluteMove", _absolute_move),
        ("RelativeMove", _relative_move),
        ("ContinuousMove", _continuous_move),
        ("Stop", _stop),
        ("SetPreset", _set_preset),
        ("GotoPreset", _goto_preset),
        ("RemovePreset", _remove_preset),
    ),
}
PTZ_SERVICE: Service = {
    name: replace(operation, handler=_on_a_head(operation.handler)) for name, operation in _SERVICE.items()
}
