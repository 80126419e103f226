"""redis-py's client of a Cluster, made to find a key whose slot is on the move."""

from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import SlotNotCoveredError


class Cluster(RedisCluster):
    """Follows `ASK` (Redis Cluster specification: ASK redirection) to any node.

    redis-py (8.1) sends `ASKING` on one connection and the command on another, where it counts for nothing; and to a
    node that has no slot yet, as when a Cluster grows, it does not go at all.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- whatever redis-py's takes
        super().__init__(**options)
        self._importers: dict[str, _Importer] = {}

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """Return the node at an address; one that is named, as redis-py does on `ASK`, is asked as an importer."""
        if node_name is None:
            return super().get_node(host, port)
        if node_name not in self._importers:
            host, _, at = node_name.rpartition(":")
            self._importers[node_name] = _Importer(host, int(at), **self.connection_kwargs)
        return self._importers[node_name]

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- redis-py's signature
        """Run a command where its key is.

        Raises:
            SlotNotCoveredError: no node has the slot just now, for which redis-py has a `KeyError` too.
        """
        try:
            return await super().execute_command(*args, **kwargs)
        except KeyError:
            raise SlotNotCoveredError("no node has the slot") from None

    async def aclose(self) -> None:
        """Close every connection, also when the nodes were just to be looked for again."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")
        for importer in self._importers.values():
            await importer.disconnect()
        self._importers.clear()


class _Importer(ClusterNode):
    """The node that a slot is moving to."""

    async def execute_command(self, *args: Any, **_: Any) -> Any:  # noqa: ANN401 -- redis-py's signature
        """Send `ASKING` with the command itself, on one connection, and not when redis-py says to."""
        if args == ("ASKING",):
            return None
        connection = self.acquire_connection()
        try:
            await connection.send_packed_command(connection.pack_commands([("ASKING",), args]))
            await connection.read_response()
            return await self.parse_response(connection, args[0])
        except BaseException:
            await connection.disconnect(nowait=True)  # there may be an answer that nobody reads any more
            raise
        finally:
            self.release(connection)
