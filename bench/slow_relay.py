#!/usr/bin/env python3
"""A relay that lets through so many megabytes a second of what the other side sends, all connections together.
usage: slow_relay.py PORT TO-PORT MB/S"""
import asyncio
import sys
import time

port, target, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) * 1e6
free_at = 0.0


async def carry(reader, writer, limited):
    global free_at
    try:
        while data := await reader.read(16 << 10):
            if limited:
                free_at = max(free_at, time.monotonic()) + len(data) / rate
                await asyncio.sleep(free_at - time.monotonic())
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def serve(reader, writer):
    there, to_there = await asyncio.open_connection("127.0.0.1", target)
    await asyncio.gather(carry(reader, to_there, False), carry(there, writer, True))


async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


asyncio.run(main())
