"""What the gateway served, compared with what the access log says was watched."""
