"""Which hosts are this machine itself: everything beyond needs TLS, or a setting that calls the network private."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Say whether this host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
