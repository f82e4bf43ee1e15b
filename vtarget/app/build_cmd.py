"""``vtarget build``: a model as a C project that stands alone, and its firmware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtarget.data.plan import RegionNeed
    from vtarget.shell.exporting import ExportedProject


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("-o", "--output", required=True, metavar="DIR", help="The folder to write the project to.")
@click.option("-e", "--engine", default="simd", show_default=True, metavar="ENGINE",
              help="Kernels: simd (fast ones where there are) or reference.")  # fmt: skip
@click.option("--toolchain", type=click.Choice(["auto", "gcc", "zig"]), default="auto", show_default=True,
              help="arm-none-eabi-gcc or the compiler of the package ziglang.")  # fmt: skip
@click.option("--cflags", default="", metavar="FLAGS", help="Further options for the compiler, such as '-O3'.")
@click.option("--weights", default="auto", metavar="REGION", help="The region that weights are placed in.")
@click.option(
    "--arena",
    default="auto",
    metavar="REGION",
    help="The region that activations are placed in, or adjoining ones (SRAM1+SRAM2).",
)
@click.option("--force", is_flag=True, help="Write over files that vtarget did not write.")
@click.option(
    "--json", "json_path", metavar="PATH", help="Write what was built as JSON to PATH ('-': standard output)."
)
def build(model: str, board: str, output: str, force: bool, json_path: str | None, **options: Any) -> int:
    """Write MODEL (a .tflite file) as a C project for BOARD, with the firmware that it builds.

    Exit status: 0 done; 1 the compiler failed; 2 unusable input.
    """
    from vtarget.shell.exporting import export_model
    from vtarget.shell.files import check_target
    from vtarget.shell.modelbuild import ModelOptions
    from vtarget.shell.projectfiles import check_project_folder, write_project

    check_project_folder(output, force=force)
    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")
    wanted = ModelOptions(options["engine"], _words(options["cflags"]), options["weights"], options["arena"])
    exported = export_model(model, board, wanted, toolchain=options["toolchain"])
    write_project(output, exported.files, exported.facts(), force=force)
    if json_path is not None:
        from vtarget.app.terminal import write_json

        write_json(json_path, exported.facts())
    if json_path != "-":
        _print(output, exported)
    return 0


def _words(cflags: str) -> tuple[str, ...]:
    import shlex

    from vtarget.base.errors import InputError

    try:
        return tuple(shlex.split(cflags))
    except ValueError as error:
        raise InputError(f"--cflags '{cflags}': {error}") from None


def _print(output: str, exported: ExportedProject) -> None:
    from vtarget.app.terminal import Column, print_line, print_table

    code, build = exported.firmware.code, exported.firmware.build
    title = f"{code.graph.path} on {exported.board.name} ({code.target.core}), {code.engine}: {output}"
    right = [Column(name, "right") for name in ("files", "bytes")]
    print_table(["folder", *right], _folder_rows(exported), title=title)
    print_line()
    right = [Column(name, "right") for name in ("used", "of bytes", "share")]
    print_table(["region", *right, "holds"], _region_rows(exported))
    print_line()
    print_line(f"layers     {len(code.layers)}")
    print_line(f"arena      {code.plan.arena_bytes:,} bytes in {exported.firmware.placement.arena_region}")
    print_line(f"weights    {code.weights_bytes:,} bytes in {exported.firmware.placement.weights_region}")
    print_line(f"compiler   {build.compiler} {build.version}")
    for note in exported.notes():
        print_line(f"note       {note}")


def _folder_rows(exported: ExportedProject) -> list[tuple[str, ...]]:
    folders: dict[str, list[int]] = {}
    for name, data in sorted(exported.files.items()):
        folders.setdefault(f"{name.partition('/')[0]}/" if "/" in name else name, []).append(len(data))
    return [(name, str(len(sizes)), f"{sum(sizes):,}") for name, sizes in folders.items()]


def _region_rows(exported: ExportedProject) -> list[tuple[str, ...]]:
    needs = {name: what for row in exported.firmware.placement.regions for name, what in _parts(exported, row)}
    return [
        (
            region.name,
            f"{region.used_bytes:,}",
            f"{region.size_bytes:,}",
            f"{100 * region.used_bytes / region.size_bytes:.1f} %",
            _holds(exported, region.name, needs.get(region.name, "")),
        )
        for region in exported.regions
        if region.used_bytes
    ]


def _parts(exported: ExportedProject, row: RegionNeed) -> Iterator[tuple[str, str]]:
    """(real region, what it holds) of a region, or of a stretch of several: of that the stack is at the end."""
    from vtarget.logic.stretches import JOINT

    names = row.region.split(JOINT)
    for name in names:
        region = exported.board.region(name)
        held = (need.what for need in row.needs if need.what != "stack" or name == names[-1])
        yield region.alias_of or name, ", ".join(held)


def _holds(exported: ExportedProject, region: str, needs: str) -> str:
    return ", ".join(part for part in ("code" if region == exported.board.boot.region else "", needs) if part)
