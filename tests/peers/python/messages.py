"""The messages of `grpc.testing`, built at run time from the `.proto` files of examples/interop.

Stub modules are not generated: they would land in a package called `grpc.testing`, and `grpc` is the
library itself. A descriptor set has no such clash, and generic calls need nothing more.
"""

import pathlib
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

SERVICE = "grpc.testing.TestService"


class Messages:
    """Message classes by their short name: `Messages(directory).SimpleRequest`."""

    def __init__(self, proto_directory):
        root = pathlib.Path(proto_directory)
        files = sorted(str(path.relative_to(root)) for path in root.glob("grpc/testing/*.proto"))
        if not files:
            raise SystemExit(f"no grpc/testing/*.proto under {root}")
        with tempfile.TemporaryDirectory() as scratch:
            output = pathlib.Path(scratch, "set.bin")
            arguments = ["protoc", f"-I{root}", f"--descriptor_set_out={output}", "--include_imports"]
            if protoc.main(arguments + files) != 0:
                raise SystemExit("protoc refused the .proto files")
            files_set = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
        self._pool = descriptor_pool.DescriptorPool()
        for file in files_set.file:
            self._pool.Add(file)

    def __getattr__(self, name):
        descriptor = self._pool.FindMessageTypeByName(f"grpc.testing.{name}")
        return message_factory.GetMessageClass(descriptor)


def zeros(length):
    return b"\0" * length


def path(method):
    return f"/{SERVICE}/{method}"


GZIP = grpc.Compression.Gzip
