"""A server of the C core for the compression cases of gRPC's interoperability tests.

    compressed_server.py --proto DIRECTORY [--listen HOST:PORT]

Prints `listening on HOST:PORT` and serves until SIGTERM. It expects one call at a time: the compressed flags of a
call are matched with its handler by order of arrival (see wiretap.py).
"""

import argparse
import concurrent.futures
import os
import signal
import socket
import sys
import tempfile

import grpc

from messages import GZIP, Messages, path, zeros
from wiretap import Wiretap


class TestService(grpc.GenericRpcHandler):
    def __init__(self, messages, take):
        self._messages = messages
        self._take = take

    def service(self, details):
        call = self._take()
        messages = self._messages
        if details.method == path("UnaryCall"):
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self._unary(call, request, context),
                messages.SimpleRequest.FromString,
                _serialize,
            )
        if details.method == path("StreamingInputCall"):
            return grpc.stream_unary_rpc_method_handler(
                lambda requests, context: self._streaming_input(call, requests, context),
                messages.StreamingInputCallRequest.FromString,
                _serialize,
            )
        if details.method == path("StreamingOutputCall"):
            return grpc.unary_stream_rpc_method_handler(
                self._streaming_output,
                messages.StreamingOutputCallRequest.FromString,
                _serialize,
            )
        return None

    def _unary(self, call, request, context):
        _check(request, call.requests[0], context)
        if request.response_compressed.value:
            context.set_compression(GZIP)
        return self._messages.SimpleResponse(payload={"body": zeros(request.response_size)})

    def _streaming_input(self, call, requests, context):
        total = 0
        for index, request in enumerate(requests):
            _check(request, call.requests[index], context)
            total += len(request.payload.body)
        return self._messages.StreamingInputCallResponse(aggregated_payload_size=total)

    def _streaming_output(self, request, context):
        if any(wanted.compressed.value for wanted in request.response_parameters):
            context.set_compression(GZIP)
        for wanted in request.response_parameters:
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield self._messages.StreamingOutputCallResponse(payload={"body": zeros(wanted.size)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--proto", required=True, metavar="DIRECTORY")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    arguments = parser.parse_args()
    host, port = arguments.listen.rsplit(":", 1)
    messages = Messages(arguments.proto)

    # The server itself is reachable through the wiretap alone.
    with tempfile.TemporaryDirectory() as scratch:
        inner = os.path.join(scratch, "server")

        def connect():
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(inner)
            return upstream

        tap = Wiretap(connect, (host, int(port)))
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        server.add_generic_rpc_handlers((TestService(messages, tap.take),))
        server.add_insecure_port(f"unix:{inner}")
        server.start()
        signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=1))
        print(f"listening on {tap.address}", flush=True)
        server.wait_for_termination()
    return 0


def _check(request, compressed, context):
    expected = request.expect_compressed
    if request.HasField("expect_compressed") and expected.value != compressed:
        announced = "compressed" if expected.value else "plain"
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the message was announced as {announced} and is not")


def _serialize(message):
    return message.SerializeToString()


if __name__ == "__main__":
    sys.exit(main())
