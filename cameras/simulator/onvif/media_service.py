"""The media services: Media (ver10) for what every client speaks, Media2 (ver20) where H.265 has a name.

Both tell the truth about the films: codec, size, rate and length of group of pictures are those of the stream.
Sources: ONVIF Media Service Specification 21.06, Media2 Service Specification 22.12.
"""

from __future__ import annotations

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.onvif.markup import Markup, join, tag
from cameras.simulator.onvif.operations import Call, Service, operations, profile_token, stream_of_profile
from cameras.simulator.onvif.ptz_service import ptz_configuration
from cameras.simulator.onvif.request import invalid_argument
from cameras.simulator.onvif.security import Level
from vms.media.access_unit import Codec

SOURCE = "video_source_1"
SOURCE_CONFIGURATION = "video_source_config_1"
_QUALITY = 5
_PROFILE_NAMES = {66: "Baseline", 77: "Main", 88: "Extended", 100: "High"}


def _profile_title(stream: StreamSettings) -> str:
    return {"main": "Flux principal", "sub": "Flux secondaire"}[stream.role]


def _encoder_token(stream: StreamSettings) -> str:
    return f"video_encoder_{stream.role}"


_ENCODINGS = {Codec.H264: "H264", Codec.H265: "H264", Codec.MPEG4: "MPEG4", Codec.MJPEG: "JPEG"}
# Media (ver10) has no name for H.265: the stream is listed as H.264 there, and only Media2 tells the truth.
_ENCODINGS_2 = {Codec.H264: "H264", Codec.H265: "H265", Codec.MPEG4: "MPV4-ES", Codec.MJPEG: "JPEG"}


def _h264_profile(stream: StreamSettings) -> str:
    return _PROFILE_NAMES.get(stream.film.profile_idc, "Main")


def _resolution(stream: StreamSettings) -> Markup:
    return join(tag("tt:Width", stream.film.width), tag("tt:Height", stream.film.height))


def _bounds(device: Device) -> Markup:
    film = device.streams[0].film
    return tag("tt:Bounds", x=0, y=0, width=film.width, height=film.height)


def _multicast() -> Markup:
    return tag(
        "tt:Multicast",
        tag("tt:Address", tag("tt:Type", "IPv4"), tag("tt:IPv4Address", "0.0.0.0")),  # noqa: S104 - "no address"
        tag("tt:Port", 0),
        tag("tt:TTL", 0),
        tag("tt:AutoStart", "false"),
    )


def _source_configuration(device: Device, name: str = "tt:VideoSourceConfiguration") -> Markup:
    return tag(
        name,
        tag("tt:Name", "Source vidéo"),
        tag("tt:UseCount", len(device.streams)),
        tag("tt:SourceToken", SOURCE),
        _bounds(device),
        token=SOURCE_CONFIGURATION,
    )


def _encoder_configuration(stream: StreamSettings, name: str = "tt:VideoEncoderConfiguration") -> Markup:
    film = stream.film
    codec = Markup("")
    if film.codec is Codec.H264:
        codec = tag("tt:H264", tag("tt:GovLength", film.gov_length), tag("tt:H264Profile", _h264_profile(stream)))
    return tag(
        name,
        tag("tt:Name", _profile_title(stream)),
        tag("tt:UseCount", 1),
        tag("tt:Encoding", _ENCODINGS[film.codec]),
        tag("tt:Resolution", _resolution(stream)),
        tag("tt:Quality", _QUALITY),
        tag(
            "tt:RateControl",
            tag("tt:FrameRateLimit", round(film.frame_rate)),
            tag("tt:EncodingInterval", 1),
            tag("tt:BitrateLimit", film.bit_rate_kbps),
        ),
        codec,
        _multicast(),
        tag("tt:SessionTimeout", "PT60S"),
        token=_encoder_token(stream),
    )


def _encoder_configuration_2(stream: StreamSettings, name: str) -> Markup:
    film = stream.film
    h264 = film.codec is Codec.H264
    return tag(
        name,
        tag("tt:Name", _profile_title(stream)),
        tag("tt:UseCount", 1),
        tag("tt:Encoding", _ENCODINGS_2[film.codec]),
        tag("tt:Resolution", _resolution(stream)),
        tag(
            "tt:RateControl",
            tag("tt:FrameRateLimit", float(film.frame_rate)),
            tag("tt:BitrateLimit", film.bit_rate_kbps),
            ConstantBitRate=False,
        ),
        tag("tt:Quality", _QUALITY),
        token=_encoder_token(stream),
        GovLength=film.gov_length,
        Profile=_h264_profile(stream) if h264 else "Main",
    )


def _profile(device: Device, stream: StreamSettings, name: str) -> Markup:
    return tag(
        name,
        tag("tt:Name", _profile_title(stream)),
        _source_configuration(device),
        _encoder_configuration(stream),
        ptz_configuration(device, "tt:PTZConfiguration") if device.spec.ptz else Markup(""),
        token=profile_token(stream),
        fixed=True,
    )


def _profiles(call: Call) -> Markup:
    device = call.device
    return tag("trt:GetProfilesResponse", *(_profile(device, each, "trt:Profiles") for each in device.streams))


def _one_profile(call: Call) -> Markup:
    return tag("trt:GetProfileResponse", _profile(call.device, stream_of_profile(call), "trt:Profile"))


def _stream_uri(call: Call) -> Markup:
    stream = stream_of_profile(call)
    if call.text("StreamSetup", "Stream") not in {"", "RTP-Unicast"}:
        raise invalid_argument("InvalidStreamSetup", "Only unicast is served")
    return tag(
        "trt:GetStreamUriResponse",
        tag(
            "trt:MediaUri",
            tag("tt:Uri", call.device.rtsp_url(stream)),
            tag("tt:InvalidAfterConnect", "false"),
            tag("tt:InvalidAfterReboot", "false"),
            tag("tt:Timeout", "PT0S"),
        ),
    )


def _video_sources(call: Call) -> Markup:
    main = call.device.streams[0]
    return tag(
        "trt:GetVideoSourcesResponse",
        tag(
            "trt:VideoSources",
            tag("tt:Framerate", float(main.film.frame_rate)),
            tag("tt:Resolution", _resolution(main)),
            token=SOURCE,
        ),
    )


def _source_configurations(call: Call) -> Markup:
    configuration = _source_configuration(call.device, "trt:Configurations")
    return tag("trt:GetVideoSourceConfigurationsResponse", configuration)


def _encoder_configurations(call: Call) -> Markup:
    return tag(
        "trt:GetVideoEncoderConfigurationsResponse",
        *(_encoder_configuration(each, "trt:Configurations") for each in call.device.streams),
    )


def _stream_of_configuration(call: Call, element: str = "ConfigurationToken") -> StreamSettings:
    token = call.text(element)
    for stream in call.device.streams:
        if token == _encoder_token(stream):
            return stream
    raise invalid_argument("NoConfig", "The requested configuration does not exist")


def _one_encoder_configuration(call: Call) -> Markup:
    configuration = _encoder_configuration(_stream_of_configuration(call), "trt:Configuration")
    return tag("trt:GetVideoEncoderConfigurationResponse", configuration)


def _asked_streams(call: Call) -> tuple[StreamSettings, ...]:
    if call.text("ConfigurationToken"):
        return (_stream_of_configuration(call),)
    return (stream_of_profile(call),) if call.text("ProfileToken") else call.device.streams


def _span(name: str, low: float, high: float) -> Markup:
    return tag(name, tag("tt:Min", low), tag("tt:Max", high))


def _encoder_options(call: Call) -> Markup:
    streams = _asked_streams(call)
    first = streams[0].film
    options = tag(
        "tt:H264",
        *(tag("tt:ResolutionsAvailable", _resolution(each)) for each in streams),
        _span("tt:GovLengthRange", first.gov_length, first.gov_length),
        _span("tt:FrameRateRange", 1, round(first.frame_rate)),
        _span("tt:EncodingIntervalRange", 1, 1),
        tag("tt:H264ProfilesSupported", _h264_profile(streams[0])),
    )
    return tag(
        "trt:GetVideoEncoderConfigurationOptionsResponse",
        tag("trt:Options", _span("tt:QualityRange", 1, 6), options),
    )


def _service_capabilities(_: Call) -> Markup:
    return tag(
        "trt:GetServiceCapabilitiesResponse",
        tag(
            "trt:Capabilities",
            tag("trt:ProfileCapabilities", MaximumNumberOfProfiles=2),
            tag("trt:StreamingCapabilities", RTPMulticast=False, RTP_TCP=False, RTP_RTSP_TCP=True),
            SnapshotUri=False,
        ),
    )


def _profile_2(device: Device, stream: StreamSettings, kinds: set[str]) -> Markup:
    parts: list[Markup] = []
    if kinds & {"All", "VideoSource"}:
        parts.append(_source_configuration(device, "tr2:VideoSource"))
    if kinds & {"All", "VideoEncoder"}:
        parts.append(_encoder_configuration_2(stream, "tr2:VideoEncoder"))
    if kinds & {"All", "PTZ"} and device.spec.ptz:
        parts.append(ptz_configuration(device, "tr2:PTZ"))
    configurations = [tag("tr2:Configurations", *parts)] if parts else []
    name = tag("tr2:Name", _profile_title(stream))
    return tag("tr2:Profiles", name, *configurations, token=profile_token(stream), fixed=True)


def _profiles_2(call: Call) -> Markup:
    kinds = {(each.text or "").strip() for each in call.body if each.tag.endswith("}Type")}
    token = call.text("Token")
    streams = [each for each in call.device.streams if token in {"", profile_token(each)}]
    if not streams:
        raise invalid_argument("NoProfile", "The requested profile token does not exist")
    return tag("tr2:GetProfilesResponse", *(_profile_2(call.device, each, kinds) for each in streams))


def _stream_uri_2(call: Call) -> Markup:
    stream = stream_of_profile(call)
    if call.text("Protocol") not in {"RTSP", "RtspUnicast"}:
        raise invalid_argument("InvalidStreamSetup", "Only RTSP unicast is served")
    return tag("tr2:GetStreamUriResponse", tag("tr2:Uri", call.device.rtsp_url(stream)))


def _encoder_configurations_2(call: Call) -> Markup:
    return tag(
        "tr2:GetVideoEncoderConfigurationsResponse",
        *(_encoder_configuration_2(each, "tr2:Configurations") for each in _asked_streams(call)),
    )


def _encoder_options_2(call: Call) -> Markup:
    def options(stream: StreamSettings) -> Markup:
        film = stream.film
        h264 = film.codec is Codec.H264
        return tag(
            "tr2:Options",
            tag("tt:Encoding", _ENCODINGS_2[film.codec]),
            _span("tt:QualityRange", 1, 6),
            tag("tt:ResolutionsAvailable", _resolution(stream)),
            _span("tt:BitrateRange", film.bit_rate_kbps, film.bit_rate_kbps),
            GovLengthRange=f"{film.gov_length} {film.gov_length}",
            FrameRatesSupported=float(film.frame_rate),
            ProfilesSupported=_h264_profile(stream) if h264 else "Main",
            ConstantBitRateSupported=False,
        )

    return tag("tr2:GetVideoEncoderConfigurationOptionsResponse", *(options(each) for each in _asked_streams(call)))


def _source_configurations_2(call: Call) -> Markup:
    configuration = _source_configuration(call.device, "tr2:Configurations")
    return tag("tr2:GetVideoSourceConfigurationsResponse", configuration)


def _service_capabilities_2(_: Call) -> Markup:
    streaming = tag("tr2:StreamingCapabilities", RTSPStreaming=True, RTPMulticast=False, RTP_RTSP_TCP=True)
    profiles = tag(
        "tr2:ProfileCapabilities", MaximumNumberOfProfiles=2, ConfigurationsSupported="VideoSource VideoEncoder PTZ"
    )
    return tag("tr2:GetServiceCapabilitiesResponse", tag("tr2:Capabilities", profiles, streaming, SnapshotUri=False))


MEDIA_SERVICE: Service = {
    **operations(Level.ANONYMOUS, ("GetServiceCapabilities", _service_capabilities)),
    **operations(
        Level.USER,
        ("GetProfiles", _profiles),
        ("GetProfile", _one_profile),
        ("GetStreamUri", _stream_uri),
        ("GetVideoSources", _video_sources),
        ("GetVideoSourceConfigurations", _source_configurations),
        ("GetVideoEncoderConfigurations", _encoder_configurations),
        ("GetVideoEncoderConfiguration", _one_encoder_configuration),
        ("GetVideoEncoderConfigurationOptions", _encoder_options),
    ),
}

MEDIA2_SERVICE: Service = {
    **operations(Level.ANONYMOUS, ("GetServiceCapabilities", _service_capabilities_2)),
    **operations(
        Level.USER,
        ("GetProfiles", _profiles_2),
        ("GetStreamUri", _stream_uri_2),
        ("GetVideoSourceConfigurations", _source_configurations_2),
        ("GetVideoEncoderConfigurations", _encoder_configurations_2),
        ("GetVideoEncoderConfigurationOptions", _encoder_options_2),
    ),
}
