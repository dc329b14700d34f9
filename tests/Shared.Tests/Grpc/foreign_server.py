"""The echo service on grpcio, on a free port of 127.0.0.1. Prints the port, then one line for each thing that happens.

usage: foreign_server.py STUBS [gzip|deflate]
"""
import sys
import threading
import time
from concurrent import futures

import grpc

STUBS = sys.argv[1]
COMPRESSION = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate, "none": grpc.Compression.NoCompression}[sys.argv[2]]
sys.path.insert(0, STUBS)
import echo_pb2  # noqa: E402
import echo_pb2_grpc  # noqa: E402


def say(text):
    print(text, flush=True)


class Echo(echo_pb2_grpc.EchoServicer):
    def Unary(self, request, context):
        if request.order == "fail":
            context.set_trailing_metadata((("why", "asked"), ("raw-bin", bytes(range(256)))))
            context.abort(grpc.StatusCode.NOT_FOUND, request.text)
        if request.order == "crash":
            raise ValueError("inside")
        if request.order == "wait":
            ended = threading.Event()
            context.add_callback(ended.set)
            say(f"started {context.time_remaining()}")
            ended.wait(30)
            say("cancelled")
            return echo_pb2.EchoMessage()
        if request.order == "large":
            return echo_pb2.EchoMessage(data=bytes(request.number))
        if request.order == "size":
            return echo_pb2.EchoMessage(number=len(request.data))
        if request.order == "headers":
            context.send_initial_metadata((("answer", "42"), ("bytes-bin", b"\x09\x00\x09")))
            context.set_trailing_metadata((("after", "all"), ("bytes-bin", b"\x07\x00\x07")))
        if request.order == "context":
            lines = []
            for key, value in context.invocation_metadata():
                lines.append(f"{key}={value.hex() if isinstance(value, bytes) else value}")
            return echo_pb2.EchoMessage(text="\n".join(lines))
        return request

    def Join(self, request_iterator, context):
        texts = []
        for message in request_iterator:
            if message.order == "fail":
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "stop it")
            if message.order == "enough":
                break
            texts.append(message.text)
        return echo_pb2.EchoMessage(text=",".join(texts), number=len(texts))

    def Repeat(self, request, context):
        context.add_callback(lambda: say("repeat ended"))
        for i in range(request.number):
            yield echo_pb2.EchoMessage(text=request.text, data=request.data, number=i)
        if request.order == "wait":
            while context.is_active():
                time.sleep(0.01)
        context.set_trailing_metadata((("count", str(request.number)),))

    def Chat(self, request_iterator, context):
        context.add_callback(lambda: say("chat ended"))
        for message in request_iterator:
            if message.order == "end":
                return
            if message.order == "fail":
                context.abort(grpc.StatusCode.ABORTED, "as asked")
            yield message
        yield echo_pb2.EchoMessage(text="bye")


server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), compression=COMPRESSION)
echo_pb2_grpc.add_EchoServicer_to_server(Echo(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
say(port)
sys.stdin.read()
server.stop(0)
