"""The one adapter to ONVIF devices."""
