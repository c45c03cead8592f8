"""Who may do what in Kafka: made of `topics.toml`, applied by an administrator, enforced by the brokers.

A service is the user of its own name. It writes the topics it owns, reads those it is a reader of, and is in groups
whose names begin with its own. Idempotent producers need no more than that, and nobody has transactions. `kwartier`
makes topics, looks at their settings, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from eventlog.kafka import KafkaAccess
from eventlog.topics import Topic

DEPLOYER: Final = "kwartier"

# org.apache.kafka.common.resource.ResourceType, PatternType and org.apache.kafka.common.acl.AclOperation
_RESOURCES: Final = {"topic": 2, "group": 3}
_PATTERNS: Final = {"literal": 3, "prefix": 4}
_OPERATIONS: Final = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
_ALLOW: Final = 3
_ANY_HOST: Final = "*"


@dataclass(frozen=True, slots=True)
class Acl:
    """`user` may do `operations` (as Kafka names them) to one topic, or to the topics or groups that begin so."""

    user: str
    resource: str
    name: str
    pattern: str
    operations: tuple[str, ...]


def acls_of(topics: Iterable[Topic]) -> list[Acl]:
    """Return all that is allowed, by user; nothing else is."""
    acls: list[Acl] = []
    for topic in topics:
        acls += [_literal(user, topic, "Describe", "Write") for user in topic.writers]
        acls += [_literal(user, topic, "Describe", "Read") for user in topic.readers]
        acls += [_literal(DEPLOYER, topic, "Create", "Describe", "DescribeConfigs")]
    readers = {acl.user for acl in acls if "Read" in acl.operations}
    acls += [Acl(user, "group", user, "prefix", ("Read",)) for user in readers]
    return sorted(acls, key=lambda acl: (acl.user, acl.resource, acl.name, acl.operations))


def _literal(user: str, topic: Topic, *operations: str) -> Acl:
    return Acl(user, "topic", topic.name, "literal", operations)


async def apply_acls(kafka: KafkaAccess, acls: Sequence[Acl]) -> None:
    """Give the brokers `acls`; those that are there stay, others too. `kafka` is to be an administrator's access.

    Raises:
        KafkaError: the brokers refused, or cannot be reached.
    """
    admin = AIOKafkaAdminClient(**kafka.client_arguments(), client_id="kwartier-acls")
    try:
        await admin.start()
        for acl in acls:
            for operation in acl.operations:
                _demand_success(await admin._send_request(_request(acl, operation)))
    finally:
        await admin.close()


def _request(acl: Acl, operation: str) -> CreateAclsRequest:
    return CreateAclsRequest(
        resource_type=_RESOURCES[acl.resource],
        resource_name=acl.name,
        resource_pattern_type_filter=_PATTERNS[acl.pattern],
        principal=f"User:{acl.user}",
        host=_ANY_HOST,
        operation=_OPERATIONS[operation],
        permission_type=_ALLOW,
    )


def _demand_success(response: Any) -> None:
    for code, message in response.creation_responses:
        if code:
            raise for_code(code)(message)


def command_lines(acls: Iterable[Acl]) -> list[str]:
    """Return `acls` as arguments of Kafka's own kafka-acls.sh, a line each."""
    return [
        f"--add --allow-principal User:{acl.user} --{acl.resource} {acl.name} --resource-pattern-type "
        f"{'prefixed' if acl.pattern == 'prefix' else acl.pattern} "
        + " ".join(f"--operation {operation}" for operation in acl.operations)
        for acl in acls
    ]


def strimzi_users(acls: Sequence[Acl]) -> list[dict[str, Any]]:
    """Return `acls` as users of Strimzi's operator (KafkaUser), each with a name and a password of its own."""
    return [_strimzi_user(user, [acl for acl in acls if acl.user == user]) for user in sorted({a.user for a in acls})]


def _strimzi_user(user: str, acls: Sequence[Acl]) -> dict[str, Any]:
    rules = [
        {
            "resource": {"type": acl.resource, "name": acl.name, "patternType": acl.pattern},
            "operations": list(acl.operations),
        }
        for acl in acls
    ]
    return {
        "apiVersion": "kafka.strimzi.io/v1beta2",
        "kind": "KafkaUser",
        "metadata": {"name": user, "labels": {"strimzi.io/cluster": "kafka"}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": rules},
        },
    }
