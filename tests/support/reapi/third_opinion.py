"""Decodes and encodes messages with Google's protobuf, by the published protos: the bytes have to be the same.

    third_opinion.py PROTOS FOLDER
"""

import importlib, pathlib, sys, tempfile

from google.protobuf import json_format  # noqa: F401: proves that it is there
from grpc_tools import protoc

protos, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
with tempfile.TemporaryDirectory() as out:
    names = [str(path.relative_to(protos)) for path in protos.rglob("*.proto")]
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    if protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", *names]):
        sys.exit("protoc failed")
    import google

    # The generated packages stand beside those of the library.
    google.__path__.append(f"{out}/google")
    for part in ("api", "rpc", "longrunning"):
        try:
            importlib.import_module(f"google.{part}").__path__.append(f"{out}/google/{part}")
        except ImportError:
            pass
    sys.path.insert(0, out)
    api = importlib.import_module("build.bazel.remote.execution.v2.remote_execution_pb2")
    for name in ("Action", "Command", "ActionResult"):
        data = (folder / name).read_bytes()
        message = getattr(api, name).FromString(data)
        if message.SerializeToString(deterministic=True) != data:
            sys.exit(f"{name} is encoded otherwise")
        if name == "Command":
            names = [variable.name for variable in message.environment_variables]
            if names != sorted(names) or list(message.output_paths) != sorted(message.output_paths):
                sys.exit("the command's lists are not sorted")
