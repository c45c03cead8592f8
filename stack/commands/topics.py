"""`kwartier topics`: the topics and access rules of topics.toml in Kafka: compared, made, printed, given."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from eventlog.acls import acls_of, apply_acls, command_lines, strimzi_users
from eventlog.kafka import KafkaAccess
from eventlog.topic_drift import find_drift
from eventlog.topics import TopicDiffers, create_topics, load_topics
from stack.layout import kafka_in_environment
from stack.problem import Problem
from stack.running import kafka_access, read_endpoints

_T = TypeVar("_T")


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "topics",
        help="compare Kafka's topics with topics.toml, make missing ones, give access rules",
        description="For whoever deploys. Kafka is the one that KAFKA_BOOTSTRAP and what goes with it name, else the "
        "one of the platform that runs here. What exists is never changed.",
    )
    actions = own.add_subparsers(metavar="ACTION", required=True, dest="action")
    check = actions.add_parser("check", help="say where topics differ; exit code 1 where one does")
    check.add_argument("--json", action="store_true", help="as JSON")
    create = actions.add_parser("create", help="make the topics that are missing; exit code 1 where one differs")
    acls = actions.add_parser("acls", help="print who may do what, as arguments of kafka-acls.sh; asks nobody")
    acls.add_argument("--strimzi", action="store_true", help="print them as KafkaUser resources (JSON) instead")
    acls.add_argument("--apply", action="store_true", help="give them to Kafka; needs an administrator's access")
    for action in (check, create):
        action.add_argument("--profile", choices=("local", "production"), help="default: TOPICS_PROFILE, else local")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Do one of the three."""
    if arguments.action == "acls":
        return _acls(arguments)
    profile = arguments.profile or os.environ.get("TOPICS_PROFILE") or "local"
    kafka = _kafka(arguments)
    if arguments.action == "create":
        try:
            _ask(kafka, create_topics(kafka, profile))
        except TopicDiffers as error:
            raise Problem(str(error)) from error
    return _check(kafka, profile, as_json=arguments.action == "check" and arguments.json)


def _check(kafka: KafkaAccess, profile: str, *, as_json: bool) -> int:
    topics = load_topics(profile)
    drifts = _ask(kafka, find_drift(kafka, topics))
    if as_json:
        print(json.dumps({"profile": profile, "drift": [asdict(each) for each in drifts]}, indent=2))
    else:
        for each in drifts:
            print(each)
        if not drifts:
            print(f"{len(topics)} topics, all as topics.toml ({profile}) says")
    return 1 if drifts else 0


def _acls(arguments: argparse.Namespace) -> int:
    acls = acls_of(load_topics("local").values())
    if arguments.strimzi:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": strimzi_users(acls)}, indent=2))
    else:
        for line in command_lines(acls):
            print(line)
    if arguments.apply:
        kafka = _kafka(arguments)
        _ask(kafka, apply_acls(kafka, acls))
    return 0


def _kafka(arguments: argparse.Namespace) -> KafkaAccess:
    if os.environ.get("KAFKA_BOOTSTRAP"):
        return kafka_in_environment()
    return kafka_access(read_endpoints(arguments.state))


def _ask(kafka: KafkaAccess, question: Coroutine[Any, Any, _T]) -> _T:
    try:
        return asyncio.run(question)
    except KafkaError as error:
        reason = f"{type(error).__name__}: {error}"
        raise Problem(f"Kafka at {kafka.bootstrap} refuses: check KAFKA_BOOTSTRAP", detail=reason) from error
