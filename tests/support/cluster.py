"""Three private RabbitMQ nodes that are one cluster, each to be killed, frozen and started again.

What a single node is and does is `rabbitmq.py`'s.
"""

from __future__ import annotations

import re

from tests.support.rabbitmq import Home, Node
from tests.support.waiting import eventually

SIZE = 3
JOINING = "cluster_formation.classic_config.nodes.1 = {first}\n"


class Cluster:
    """`nodes` and their `addresses`; `stop()` ends all that was started, and the folder with it.

    A queue lives on the node that the connection which declares it is on: a classic one there
    alone, a quorum one on all three with that one as its leader.
    """

    def __init__(self, *, config: str = "") -> None:
        self._home = Home()
        self.folder = self._home.folder
        self.nodes: list[Node] = []
        for number in range(1, SIZE + 1):
            node = Node(f"c{number}", home=self._home)
            self.nodes.append(node)
            node.configure(config + JOINING.format(first=self.nodes[0].name))

    def start(self) -> Cluster:
        """The first node, then the others beside each other: they find it by their files."""
        try:
            self.nodes[0].start()
            self._start(self.nodes[1:])
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def addresses(self) -> str:
        """All three, as `--url` takes them."""
        return self.addresses_of(*self.nodes)

    @staticmethod
    def addresses_of(*nodes: Node, vhost: str = "%2F") -> str:
        return ",".join(node.address(vhost) for node in nodes)

    @property
    def living(self) -> list[Node]:
        """Those that run and are not frozen."""
        return [node for node in self.nodes if node.running and not node.frozen]

    def control(self, *arguments: str) -> str:
        """`rabbitmqctl` on a living node."""
        return self.living[0].control(*arguments)

    def whole(self, within: float = 60.0) -> None:
        """Thaw what is frozen, start what was killed; all three run, and all queues are whole."""
        for node in self.nodes:
            node.thaw()
        self._start([node for node in self.nodes if not node.running], within)

    def _start(self, nodes: list[Node], within: float = 60.0) -> None:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.ready(within=within)
        eventually(self._is_whole, within, every=0.1)

    def _is_whole(self) -> bool:
        if len(self._names("rabbit_mnesia:cluster_nodes(running)")) < SIZE:
            return False
        said = self.control("list_queues", "--no-table-headers", "type", "online")
        online = [line.split("\t")[1] for line in said.splitlines() if line.startswith("quorum")]
        return all(members.count("@") == SIZE for members in online)

    def leader_of(self, queue: str) -> Node:
        """Where a queue is, or the node that leads it: after a kill, the next that is elected."""
        found = eventually(lambda: self.leaders().get(queue), every=0.1)
        assert found is not None
        return found

    def leaders(self) -> dict[str, Node]:
        """The living node that each queue of `/` is on or, if it is a quorum queue, is led by."""
        said = self.control("list_queues", "--no-table-headers", "name", "leader", "pid")
        rows = [line.split("\t") for line in said.splitlines()]
        return {
            name: node
            for name, leader, pid in rows
            for node in self.living
            if (leader or pid).lstrip("<").startswith(node.name)
        }

    def _names(self, expression: str) -> set[str]:
        return set(re.findall(r"[\w-]+@localhost", self.control("eval", f"{expression}.")))

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
        self._home.clear()
