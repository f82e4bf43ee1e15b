"""``vtarget twin``: a board that doesn't exist, behind a GDB server, to try measuring and calibrating with."""

from __future__ import annotations

from itertools import count

import click

from vtarget.base.errors import InputError


@click.command()
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("--perturb", "seed", required=True, type=click.IntRange(0, (1 << 32) - 1), metavar="SEED",
              help="Which twin: its timing and power are off by amounts that this number decides.")  # fmt: skip
@click.option("--port", "place", required=True, metavar="[HOST:]PORT", help="Where to serve (0: any free port).")
@click.option("--jitter", "jitter_pct", type=click.FloatRange(0, 10), default=0.1, show_default=True, metavar="PCT",
              help="By how much each term of the cycles differs from run to run (standard deviation).")  # fmt: skip
@click.option("--reveal", metavar="FILE", help="Write the hidden truth as a calibration.")
@click.option("--sessions", type=click.IntRange(min=1), metavar="N", help="End after N debuggers (default: never).")
def twin(board: str, seed: int, place: str, jitter_pct: float, reveal: str | None, sessions: int | None) -> int:
    """Serve a virtual BOARD over the GDB protocol that is 5 to 25 % off its description.

    'vtarget measure --probe gdb:HOST:PORT' takes it for a real one. Exit status: 0 done; 2 unusable input.
    """
    from vtarget.app.terminal import print_error_line
    from vtarget.logic.twin import draw
    from vtarget.shell.calibrationfile import save_calibration
    from vtarget.shell.gdb.link import parse_place
    from vtarget.shell.running import pricer_for
    from vtarget.shell.twin import Twin, TwinServer

    pricer = pricer_for(board)
    truth = draw(seed, pricer.core, pricer.board, pricer.board_sha256)
    if reveal is not None:
        save_calibration(truth, reveal)
    try:
        host, port = parse_place(place)
    except InputError as error:
        raise InputError(error.message.replace("--gdb", "--port", 1), hint=error.hint) from None
    served = Twin(pricer, truth, jitter_pct=jitter_pct, seed=seed)
    for number in count():
        if sessions is not None and number >= sessions:
            return 0
        try:
            server = TwinServer(host, port, print_error_line)
        except InputError as error:
            raise InputError(error.message.replace("--gdb", "--port", 1), hint=error.hint) from None
        port = int(server.where.rpartition(":")[2])
        served.serve(server)
    return 0
