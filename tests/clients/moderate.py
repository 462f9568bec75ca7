"""One comment judged from Python: grpcio, over TLS, with a key. The stubs are made by
    pip install grpcio grpcio-tools googleapis-common-protos
    python -m grpc_tools.protoc -I proto --python_out=OUT --grpc_python_out=OUT moderato/v1/moderation.proto
and found through PYTHONPATH. Usage: moderate.py HOST:PORT CA.pem KEY"""

import sys

import grpc
from moderato.v1 import moderation_pb2 as m
from moderato.v1 import moderation_pb2_grpc as services

address, ca, key = sys.argv[1:]
with open(ca, "rb") as file:
    tls = grpc.ssl_channel_credentials(root_certificates=file.read())
credentials = grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(key))


def moderate(channel):
    comment = m.Comment(
        content="I walked past the new bridge today and it is lovely.",
        author_name="Ann Reader",
        author_email="ann@example.org",
        author_ip="203.0.113.7",
    )
    request = m.ModerateRequest(site="gazette", comment=comment)
    return services.ModerationServiceStub(channel).Moderate(request, timeout=5, wait_for_ready=True)


with grpc.secure_channel(address, credentials) as channel:
    answer = moderate(channel)
    assert answer.verdict == m.VERDICT_APPROVE, answer
    assert answer.handling == m.HANDLING_PUBLISH and answer.policy_version, answer

for wrong in [tls, grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials("wrong"))]:
    with grpc.secure_channel(address, wrong) as channel:
        try:
            raise SystemExit(f"let in: {moderate(channel)}")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
print("python grpcio", grpc.__version__, "ok")
