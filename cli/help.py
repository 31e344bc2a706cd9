"""Help of a command with its options in groups, and suggestions for misspelt commands."""

from __future__ import annotations

import click

from .mistyped import require_well_typed

#: Names of parameters by the heading that they are listed under.
GROUPS: dict[str, frozenset[str]] = {
    "Inputs": frozenset(
        {
            *("shots", "reference", "model", "class_field", "layer", "classes", "all_touched"),
            *(
                "aoi",
                "wavelengths",
                "mask",
                "rescale",
                "weights",
                "init",
                "scenes",
                "data",
                "resume",
            ),
            *("drawings", "bands", "trust_shots", "library_weight", "grid", "swath", "straighten"),
            *("pixel_size", "dem"),
            *("old_field", "new_field", "resample", "with_rejected"),
            *("asset", "follow_links", "zones", "zone_field", "zone_layer"),
        }
    ),
    "Outputs": frozenset(
        {
            *("out", "save_model", "confidence", "probabilities", "overwrite", "as_json", "count"),
            *("composite", "polygons", "smooth", "stac", "parents", "onnx"),
            *("reject", "min_confidence", "min_area"),
            *("checkpoint_every",),
        }
    ),
    "Accuracy": frozenset(
        {
            *(
                "report",
                "cross_validation",
                "design",
                "target_se",
                "least",
                "expected",
                "strata",
                "restat",
                "halo",
                "seed",
                "seeds",
                "split",
                "methods",
            ),
            *("steps", "batch", "learning_rate", "mask_ratio"),
            *("fdc", "fdc_consistency", "fdc_high"),
        }
    ),
    "Speed and memory": frozenset(
        {
            *(
                "device",
                "threads",
                "timings",
                "cache",
                "max_memory",
                "workers",
                "scheduler",
                "dashboard",
            ),
            *("accelerator", "devices", "num_nodes", "strategy", "precision"),
        }
    ),
}

#: Heading of the options that are in no group.
OTHERS = "Other options"


class GroupedCommand(click.Command):
    """A command whose help lists the options by what they are for, and that refuses words which click would misread."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed."""
        require_well_typed(args, ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group that has options."""
        for heading, records in sections(self, ctx).items():
            with formatter.section(heading):
                formatter.write_dl(records)


def sections(command: click.Command, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Options of a command, and their help, by the heading that they are listed under.

    Args:
        command: The command.
        ctx: Its context.
    """
    found: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*GROUPS, OTHERS)}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None and isinstance(param, click.Option):
            found[heading_of(str(param.name))].append(record)
    return {heading: records for heading, records in found.items() if records}


def heading_of(name: str) -> str:
    """Heading that a parameter is listed under.

    Args:
        name: Name of the parameter in Python.

    >>> heading_of("shots"), heading_of("help")
    ('Inputs', 'Other options')
    """
    return next((heading for heading, names in GROUPS.items() if name in names), OTHERS)
