"""Sockets that take long to close."""
import socket
import struct

BUFFER = 4096  # bytes: many such sockets are not to need the memory that buffers grow to


def lingering_socket() -> tuple[socket.socket, socket.socket]:
    """A socket whose close(2) waits for its peer, for a minute, and that peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # the peer has it from there
        lingering = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    lingering.setblocking(False)
    try:
        while True:
            lingering.send(bytes(65536))
    except BlockingIOError:
        return lingering, peer
