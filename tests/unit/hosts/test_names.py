from __future__ import annotations

import pytest

from ebpftop.base.errors import UsageError
from ebpftop.hosts.names import MOST, checked, labels


@pytest.mark.parametrize(
    "name",
    [
        "-oProxyCommand=touch /tmp/x",
        "--",
        "-web",
        "admin@-oProxyCommand=x",
        "ssh://-oProxyCommand=x",
        "@web",
        "admin@",
        "",
        "web 1",
        "web\n1",
        "web;reboot",
        "$(reboot)",
        "`reboot`",
        "web'1",
        "w" * 256,
    ],
)
def test_a_name_that_ssh_could_take_for_an_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a host name"):
        checked([name])


@pytest.mark.parametrize(
    "name",
    ["web-1", "admin@web-2", "web_1.example.org", "10.0.0.1", "::1", "fe80::1%eth0", "ssh://a@web:2222", "local"],
)
def test_what_ssh_takes_is_taken(name: str) -> None:
    assert checked([name]) == [name]


def test_a_host_can_be_named_once() -> None:
    with pytest.raises(UsageError, match="web-1 is given twice"):
        checked(["web-1", "web-2", "web-1"])


def test_there_may_be_so_many() -> None:
    assert len(checked([f"web-{number}" for number in range(MOST)])) == MOST
    with pytest.raises(UsageError, match=f"at most {MOST}"):
        checked([f"web-{number}" for number in range(MOST + 1)])


def test_labels_leave_users_out_and_stay_different() -> None:
    assert labels(["admin@web-1", "web-2"]) == ["web-1", "web-2"]
    assert labels(["admin@web-1", "root@web-1", "db"]) == ["admin@web-1", "root@web-1", "db"]
