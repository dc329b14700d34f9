"""Calls the echo service with grpcio and prints what came of each case as one line of JSON.

usage: foreign_client.py ADDRESS STUBS CASE
"""
import json
import sys
import threading
import time

import grpc

ADDRESS, STUBS, CASE = sys.argv[1:4]
sys.path.insert(0, STUBS)
import echo_pb2  # noqa: E402
import echo_pb2_grpc  # noqa: E402

LIMITS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def message(**fields):
    return echo_pb2.EchoMessage(**fields)


def metadata(pairs):
    return [[key, value.hex() if isinstance(value, bytes) else value] for key, value in pairs or []]


def failure(error):
    return {"code": error.code().name, "details": error.details(), "trailers": metadata(error.trailing_metadata())}


def attempt(call):
    try:
        return call()
    except grpc.RpcError as error:
        return failure(error)


def unary(stub):
    return {"text": stub.Unary(message(text="grüße", number=-7, data=b"\x00\xff"), timeout=20).text}


def join(stub):
    answer = stub.Join((message(text=str(i)) for i in range(1000)), timeout=20)
    return {"number": answer.number, "text": answer.text[:11]}


def repeat(stub):
    call = stub.Repeat(message(text="r", number=500, data=bytes(1000)), timeout=20)
    numbers = [answer.number for answer in call]
    return {"ordered": numbers == list(range(500)), "trailers": metadata(call.trailing_metadata())}


def chat(stub):
    answers = []
    turn = threading.Semaphore(1)

    def requests():
        for i in range(50):
            turn.acquire()
            yield message(number=i)

    for answer in stub.Chat(requests(), timeout=20):
        answers.append(answer.text or answer.number)
        turn.release()
    return {"answers": len(answers), "last": answers[-1], "ordered": answers[:-1] == list(range(50))}


def early_end(stub):
    endless = (message(order="end" if i == 3 else "", number=i) for i in iter(lambda: time.sleep(0.001) or 3, None))
    call = stub.Chat(endless, timeout=20)
    return {"answers": len(list(call)), "code": call.code().name}


def fail(stub):
    return attempt(lambda: stub.Unary(message(order="fail", number=5, text="Größe % 漢字 🚀\n"), timeout=20))


def crash(stub):
    return attempt(lambda: stub.Unary(message(order="crash"), timeout=20))


def headers(stub):
    call = stub.Unary.with_call(message(order="headers", text="h"), timeout=20)[1]
    return {"initial": metadata(call.initial_metadata()), "trailing": metadata(call.trailing_metadata()), "code": call.code().name}


def context(stub):
    sent = [("x-text", "plain text"), ("x-raw-bin", bytes(range(256))), ("x-empty-bin", b"")]
    return {"text": stub.Unary(message(order="context"), metadata=sent, timeout=60).text}


def deadline(stub):
    start = time.monotonic()
    result = attempt(lambda: stub.Unary(message(order="wait"), timeout=2))
    return {**result, "seconds": time.monotonic() - start}


def cancel(stub):
    call = stub.Unary.future(message(order="wait"))
    print("waiting", flush=True)
    sys.stdin.readline()
    call.cancel()
    try:
        call.result()
    except grpc.FutureCancelledError:
        return {"code": call.code().name}


def cancel_stream(stub):
    call = stub.Chat(iter(lambda: time.sleep(0.005) or message(text="x"), None))
    next(call)
    call.cancel()
    return {"code": call.code().name}


def limits(stub):
    size = 4 * 1024 * 1024
    passed = stub.Unary(message(data=bytes(size - 16)), timeout=20)
    refused = attempt(lambda: stub.Unary(message(data=bytes(size)), timeout=20))
    return {"passed": len(passed.data), "code": refused["code"]}


def gzip(stub):
    data = bytes(1_000_000)
    packed = stub.Unary(message(data=data), compression=grpc.Compression.Gzip, timeout=20)
    chat = stub.Chat((message(data=data) for _ in range(3)), compression=grpc.Compression.Gzip, timeout=20)
    sizes = [len(answer.data) for answer in chat]
    bomb = attempt(lambda: stub.Unary(message(data=bytes(4 * 1024 * 1024)), compression=grpc.Compression.Gzip, timeout=20))
    return {"unary": len(packed.data), "chat": sizes, "bomb": bomb["code"]}


def deflate(stub):
    return attempt(lambda: stub.Unary(message(data=bytes(10_000)), compression=grpc.Compression.Deflate, timeout=20))


def unimplemented(stub):
    channel = grpc.insecure_channel(ADDRESS)
    codes = []
    for path in ("/aggregator.tests.Echo/Nothing", "/no.Such/Service"):
        codes.append(attempt(lambda: channel.unary_unary(path)(b"", timeout=20))["code"])
    return {"codes": codes}


def slow_reader(stub):
    call = stub.Repeat(message(number=300, data=bytes(100_000)), timeout=60)
    next(call)
    time.sleep(0.5)
    return {"rest": sum(1 for _ in call), "code": call.code().name}


def parallel(stub):
    futures = [stub.Unary.future(message(number=i), timeout=20) for i in range(200)]
    return {"same": [future.result().number for future in futures] == list(range(200))}


with grpc.insecure_channel(ADDRESS, options=LIMITS) as channel:
    print(json.dumps(globals()[CASE](echo_pb2_grpc.EchoStub(channel))), flush=True)
