"""Sockets that take long to close."""
import socket
import struct


def lingering_socket() -> tuple[socket.socket, socket.socket]:
    """A socket whose close(2) waits for its peer, for a minute, and that peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lingering = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    lingering.setblocking(False)
    try:
        while True:
            lingering.send(bytes(65536))
    except BlockingIOError:
        return lingering, peer
