"""A loopback proxy that notes which gRPC messages carry the compressed flag.

gRPC for Python hides that flag: the core unpacks a message before Python sees it, and no API tells whether
there was anything to unpack. So the bytes are looked at on their way: HTTP/2 frames are cut out of the stream,
DATA frames are put together per stream, and the first byte of every gRPC message is the answer. Header blocks
are passed on unread. Plain text connections only.
"""

import collections
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS = 0, 1
PADDED = 0x8


class Call:
    """One HTTP/2 stream: the compressed flag of each message, in order, both ways."""

    def __init__(self):
        self.requests = []
        self.responses = []


class Wiretap:
    """Listens on `address`; whatever connects is connected to `upstream` (a function that returns a socket)."""

    def __init__(self, upstream, address=("127.0.0.1", 0)):
        self._upstream = upstream
        self._lock = threading.Lock()
        self._calls = collections.deque()
        self._listener = socket.create_server(address)
        self.address = "{}:{}".format(*self._listener.getsockname()[:2])
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self):
        """The oldest call nobody took yet, an empty one if no other arrived.

        Calls that run one after the other come in their order.
        """
        with self._lock:
            return self._calls.popleft() if self._calls else Call()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            try:
                server = self._upstream()
            except OSError:
                client.close()
                continue
            calls = {}
            ways = [
                (client, server, _Frames(self._note_request(calls), preface=len(PREFACE))),
                (server, client, _Frames(self._note_response(calls), preface=0)),
            ]
            for source, target, frames in ways:
                threading.Thread(target=_pump, args=(source, target, frames), daemon=True).start()

    def _note_request(self, calls):
        def note(stream, flag):
            with self._lock:
                if stream not in calls:
                    calls[stream] = Call()
                    self._calls.append(calls[stream])
                if flag is not None:
                    calls[stream].requests.append(flag)

        return note

    def _note_response(self, calls):
        def note(stream, flag):
            with self._lock:
                if flag is not None:
                    calls[stream].responses.append(flag)

        return note


class _Frames:
    """Cuts one direction of a connection into frames and reports `note(stream, flag or None)`."""

    def __init__(self, note, preface):
        self._note = note
        self._skip = preface
        self._buffer = bytearray()
        self._messages = collections.defaultdict(_MessageFlags)

    def feed(self, data):
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._buffer += data[skipped:]
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            kind, flags = self._buffer[3], self._buffer[4]
            stream = struct.unpack(">I", self._buffer[5:9])[0] & 0x7FFF_FFFF
            if len(self._buffer) < 9 + length:
                return
            payload = bytes(self._buffer[9 : 9 + length])
            del self._buffer[: 9 + length]
            if kind == HEADERS:
                self._note(stream, None)
            elif kind == DATA:
                if flags & PADDED:
                    payload = payload[1 : len(payload) - payload[0]]
                for flag in self._messages[stream].feed(payload):
                    self._note(stream, flag)


class _MessageFlags:
    """Finds the flags in the DATA of one stream and skips the messages themselves."""

    def __init__(self):
        self._prefix = bytearray()
        self._body = 0

    def feed(self, data):
        while data:
            if self._body:
                taken = min(self._body, len(data))
                self._body -= taken
            else:
                taken = min(5 - len(self._prefix), len(data))
                self._prefix += data[:taken]
                if len(self._prefix) == 5:
                    flag, self._body = struct.unpack(">?I", self._prefix)
                    self._prefix.clear()
                    yield flag
            data = data[taken:]


def _pump(source, target, frames):
    # What a frame says is noted before its bytes go on: whoever has received a message finds its flag.
    try:
        while data := source.recv(65536):
            frames.feed(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()
