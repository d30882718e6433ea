#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client in another language, with stubs made from our .proto files, is served in full."""
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import unittest

try:
    import grpc
    import common_pb2
    import dfdaemon_pb2
    import dfdaemon_pb2_grpc
    import health_pb2
    import health_pb2_grpc
except ImportError as missing:
    if os.environ.get("PERCH_REQUIRE_ALL") == "1":
        raise
    print(f"[skip] needs python3-grpcio: {missing}")
    sys.exit(77)

PATIENCE = 60
SERVICE = "dfdaemon.v2.DfdaemonDownload"


class Peer:
    """A peer with a socket of its own, beside an origin."""

    def __init__(self, *origin_options):
        self.place = tempfile.TemporaryDirectory(prefix="perch-")
        self.socket = f"{self.place.name}/peer.sock"
        self.origin = subprocess.Popen(["/usr/bin/python3", os.environ["ORIGIN"], *origin_options],
                                       stdout=subprocess.PIPE, text=True)
        self.port = self.origin.stdout.readline().split()[1]
        self.process = subprocess.Popen(
            [os.environ["PERCH_PEER"], "serve", "--socket", self.socket,
             "--store", f"{self.place.name}/store"], stderr=subprocess.PIPE, text=True)
        # Its first line says that it listens.
        self.first_line = self.process.stderr.readline()
        self.channel = grpc.insecure_channel(
            f"unix:{self.socket}", options=[("grpc.max_receive_message_length", -1)])
        self.stub = dfdaemon_pb2_grpc.DfdaemonDownloadStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def close(self):
        self.channel.close()
        for process, pipe in (self.process, self.process.stderr), (self.origin, self.origin.stdout):
            process.kill()
            process.wait()
            pipe.close()
        self.place.cleanup()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def download(self, url, **fields):
        request = dfdaemon_pb2.DownloadTaskRequest(download=common_pb2.Download(url=url, **fields))
        return self.stub.DownloadTask(request, timeout=PATIENCE)


class GenericClient(unittest.TestCase):
    def start(self, *origin_options):
        peer = Peer(*origin_options)
        self.addCleanup(peer.close)
        return peer

    def assert_status(self, code, call):
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        self.assertEqual(code, raised.exception.code(), raised.exception.details())

    def test_what_is_downloaded_can_be_asked_about_listed_and_deleted(self):
        peer = self.start()
        url = peer.url("/data?size=9000000")
        started, *finished = peer.download(url, need_piece_content=True)
        content = bytearray(started.download_task_started_response.content_length)
        for message in finished:
            piece = message.download_piece_finished_response.piece
            content[piece.offset:piece.offset + piece.length] = piece.content
        with subprocess.Popen(["curl", "-sS", url], stdout=subprocess.PIPE) as curl:
            expected = hashlib.sha256(curl.stdout.read()).hexdigest()
        self.assertEqual(expected, hashlib.sha256(content).hexdigest())

        task = peer.stub.StatTask(dfdaemon_pb2.StatTaskRequest(task_id=started.task_id))
        self.assertEqual((url, 9000000, 3, "Succeeded", True),
                         (task.url, task.content_length, task.piece_count, task.state,
                          task.has_available_peer))
        self.assertEqual(common_pb2.NORMAL, task.size_scope)
        self.assertEqual([piece.digest for piece in task.pieces],
                         [piece.digest for piece in sorted(
                             (message.download_piece_finished_response.piece
                              for message in finished), key=lambda piece: piece.number)])
        local = peer.stub.StatLocalTask(dfdaemon_pb2.StatLocalTaskRequest(task_id=started.task_id))
        self.assertEqual((9000000, 4 << 20), (local.content_length, local.piece_length))
        self.assertGreaterEqual(local.finished_at.seconds, local.created_at.seconds)

        listed = peer.stub.ListLocalTasks(dfdaemon_pb2.ListLocalTasksRequest())
        self.assertEqual([started.task_id], [task.task_id for task in listed.tasks])
        delete = dfdaemon_pb2.DeleteTaskRequest(task_id=started.task_id)
        peer.stub.DeleteTask(delete)
        self.assert_status(grpc.StatusCode.NOT_FOUND, lambda: peer.stub.DeleteTask(delete))
        self.assertFalse(peer.stub.ListLocalTasks(dfdaemon_pb2.ListLocalTasksRequest()).tasks)

    def test_what_is_no_task_id_is_no_path_either(self):
        peer = self.start()
        for task_id in "", "..", "../../etc", "A" * 64, "0" * 63, "0" * 65, "0" * 63 + "/":
            for call in (lambda: peer.stub.StatTask(dfdaemon_pb2.StatTaskRequest(task_id=task_id)),
                         lambda: peer.stub.DeleteLocalTask(
                             dfdaemon_pb2.DeleteLocalTaskRequest(task_id=task_id))):
                self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, call)

    def test_a_task_in_use_is_not_deleted(self):
        peer = self.start("--rate", "8000000")
        download = peer.download(peer.url("/data?size=40000000"))
        task_id = next(download).task_id
        self.assert_status(
            grpc.StatusCode.FAILED_PRECONDITION,
            lambda: peer.stub.DeleteLocalTask(dfdaemon_pb2.DeleteLocalTaskRequest(task_id=task_id)))
        self.assertEqual(
            "Running", peer.stub.StatTask(dfdaemon_pb2.StatTaskRequest(task_id=task_id)).state)
        download.cancel()

    def test_who_watches_its_health_is_told_of_the_drain(self):
        peer = self.start("--rate", "8000000")
        watch = peer.health.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=PATIENCE)
        self.assertEqual(health_pb2.HealthCheckResponse.SERVING, next(watch).status)
        download = peer.download(peer.url("/data?size=16000000"))
        next(download)
        peer.process.send_signal(signal.SIGTERM)
        self.assertEqual(health_pb2.HealthCheckResponse.NOT_SERVING, next(watch).status)
        # What had begun is finished.
        self.assertEqual(4, len(list(download)))
        self.assertEqual(0, peer.process.wait(PATIENCE))


if __name__ == "__main__":
    unittest.main()
