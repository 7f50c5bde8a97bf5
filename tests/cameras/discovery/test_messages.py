from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cameras.discovery.messages import DiscoveryReplyError, parse_probe_match, probe_message, service_url_at

MESSAGE_ID = "urn:uuid:1"
REPLY = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Header>
<wsa:RelatesTo>urn:uuid:1</wsa:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>
<wsa:EndpointReference><wsa:Address>urn:uuid:cam</wsa:Address></wsa:EndpointReference>
<d:Scopes>onvif://www.onvif.org/name/Place%20d%27Armes onvif://www.onvif.org/hardware/VS-2
 onvif://www.onvif.org/location/country/france onvif://www.onvif.org/location/city/Vernon</d:Scopes>
<d:XAddrs>http://192.168.1.108:8000/onvif/device_service http://[fe80::1]/onvif/device_service</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"""


def test_a_device_is_put_at_the_address_that_answered():
    device = parse_probe_match(REPLY.encode(), "127.27.1.1", MESSAGE_ID)
    assert device.service_url == "http://127.27.1.1:8000/onvif/device_service"
    assert (device.name, device.hardware, device.location) == ("Place d'Armes", "VS-2", "Vernon")


@pytest.mark.parametrize(
    "xaddrs",
    ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:8899/onvif/device_service", "https://evil.example/x"],
)
def test_an_address_elsewhere_is_never_kept(xaddrs: str):
    assert "//10.27.4.9" in service_url_at("10.27.4.9", xaddrs)


@pytest.mark.parametrize("xaddrs", ["", "ftp://10.0.0.1/", "http://[broken", "http://10.0.0.1:99999999/x"])
def test_a_reply_without_a_service_address_is_refused(xaddrs: str):
    with pytest.raises(DiscoveryReplyError, match="service address"):
        service_url_at("10.27.4.9", xaddrs)


def test_an_answer_to_another_probe_is_refused():
    with pytest.raises(DiscoveryReplyError, match="another probe"):
        parse_probe_match(REPLY.encode(), "127.0.0.1", "urn:uuid:2")


def test_an_entity_bomb_is_refused_unread():
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + REPLY.split("?>", 1)[1]
    with pytest.raises(DiscoveryReplyError):
        parse_probe_match(bomb.encode(), "127.0.0.1", MESSAGE_ID)


def test_an_overlong_reply_is_refused():
    with pytest.raises(DiscoveryReplyError, match="bytes"):
        parse_probe_match(REPLY.encode() + b" " * 40_000, "127.0.0.1", MESSAGE_ID)


@given(st.binary(max_size=400))
def test_no_reply_raises_anything_else(reply: bytes):
    with pytest.raises(DiscoveryReplyError):
        parse_probe_match(reply, "127.0.0.1", MESSAGE_ID)


@given(st.text(max_size=200))
def test_no_service_address_leads_elsewhere(xaddrs: str):
    try:
        url = service_url_at("10.27.4.9", xaddrs)
    except DiscoveryReplyError:
        return
    assert url.split("://", 1)[1].startswith("10.27.4.9")


def test_each_probe_has_its_own_id():
    assert probe_message()[1] != probe_message()[1]
