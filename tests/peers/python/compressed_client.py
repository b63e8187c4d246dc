"""The compression cases of gRPC's interoperability tests, from a client of the C core.

    compressed_client.py --server HOST:PORT --proto DIRECTORY [--case NAME]...

Prints `ok NAME` or `FAILED NAME: why` for each case and fails if one did.
"""

import argparse
import os
import socket
import sys
import traceback

import grpc

from messages import GZIP, Messages, path, zeros
from wiretap import Wiretap

# A hung peer must not hang us; nothing here takes more than a fraction of it.
TIMEOUT = 20


class Client:
    def __init__(self, server, messages):
        host, port = server.rsplit(":", 1)
        self.tap = Wiretap(lambda: socket.create_connection((host, int(port)), timeout=None))
        self.messages = messages
        self.channel = grpc.insecure_channel(self.tap.address)

    def unary(self, request, compression):
        call = self.channel.unary_unary(
            path("UnaryCall"), _serialize, self.messages.SimpleResponse.FromString
        )
        try:
            return call(request, timeout=TIMEOUT, compression=compression)
        finally:
            self.flags = self.tap.take()

    def streaming_input(self, requests, compression):
        call = self.channel.stream_unary(
            path("StreamingInputCall"), _serialize, self.messages.StreamingInputCallResponse.FromString
        )
        try:
            return call(iter(requests), timeout=TIMEOUT, compression=compression)
        finally:
            self.flags = self.tap.take()

    def streaming_output(self, request):
        call = self.channel.unary_stream(
            path("StreamingOutputCall"), _serialize, self.messages.StreamingOutputCallResponse.FromString
        )
        try:
            return list(call(request, timeout=TIMEOUT))
        finally:
            self.flags = self.tap.take()


def client_compressed_unary(client):
    def request(expected):
        return client.messages.SimpleRequest(
            expect_compressed={"value": expected}, response_size=314159, payload={"body": zeros(271828)}
        )

    _expect_refusal(lambda: client.unary(request(True), None))
    _equal("flag of the probe", client.flags.requests, [False])

    for compressed in (True, False):
        reply = client.unary(request(compressed), GZIP if compressed else None)
        _equal("flag sent", client.flags.requests, [compressed])
        _equal("response payload", reply.payload.body, zeros(314159))


def server_compressed_unary(client):
    for compressed in (True, False):
        request = client.messages.SimpleRequest(
            response_compressed={"value": compressed}, response_size=314159, payload={"body": zeros(271828)}
        )
        reply = client.unary(request, None)
        _equal("flag received", client.flags.responses, [compressed])
        _equal("response payload", reply.payload.body, zeros(314159))


def client_compressed_streaming(client):
    def request(expected, body):
        return client.messages.StreamingInputCallRequest(
            expect_compressed={"value": expected}, payload={"body": body}
        )

    _expect_refusal(lambda: client.streaming_input([request(True, zeros(27182))], None))
    _equal("flag of the probe", client.flags.requests, [False])

    # A client cannot switch compression off for one message in Python, but the core sends a message plain
    # if compressing would not make it smaller. Hence random bytes where the description has zeros.
    requests = [request(True, zeros(27182)), request(False, os.urandom(45904))]
    reply = client.streaming_input(requests, GZIP)
    _equal("flags sent", client.flags.requests, [True, False])
    _equal("aggregated payload size", reply.aggregated_payload_size, 73086)


def server_compressed_streaming(client):
    request = client.messages.StreamingOutputCallRequest(
        response_parameters=[
            {"compressed": {"value": True}, "size": 31415},
            {"compressed": {"value": False}, "size": 92653},
        ]
    )
    replies = client.streaming_output(request)
    _equal("flags received", client.flags.responses, [True, False])
    _equal("payloads", [reply.payload.body for reply in replies], [zeros(31415), zeros(92653)])


CASES = {
    case.__name__: case
    for case in (
        client_compressed_unary,
        server_compressed_unary,
        client_compressed_streaming,
        server_compressed_streaming,
    )
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--proto", required=True, metavar="DIRECTORY")
    parser.add_argument("--case", action="append", choices=CASES)
    arguments = parser.parse_args()

    messages = Messages(arguments.proto)
    failed = False
    for name in arguments.case or CASES:
        try:
            CASES[name](Client(arguments.server, messages))
            print(f"ok {name}", flush=True)
        except Exception as error:
            failed = True
            why = f"{error.code()}: {error.details()}" if isinstance(error, grpc.RpcError) else error
            print(f"FAILED {name}: {why}", flush=True)
            traceback.print_exc()
    return 1 if failed else 0


def _serialize(message):
    return message.SerializeToString()


def _expect_refusal(call):
    try:
        call()
    except grpc.RpcError as error:
        _equal("status of the probe", error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        return
    raise AssertionError("the probe (plain, announced as compressed) was accepted")


def _equal(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}: {_short(actual)} instead of {_short(expected)}")


def _short(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:100]}… ({len(value)} long)"


if __name__ == "__main__":
    sys.exit(main())
