"""
Limit the estimated cost of a command, before anything is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from krea_cli.errors import CostError

if TYPE_CHECKING:
    from krea_cli.config.settings import ResolvedSettings

OPTION = "--max-cost"
# Sums of prices are not exact in binary.
_ROUNDING_USD = 1e-9


class SpendingLimit(NamedTuple):
    """
    A limit in USD; None means no limit.

    `source` is the option, variable or file that set it, so that an error can say where
    to change it. If `allows_unknown` is true, requests without a known price are
    allowed.
    """

    usd: float | None
    source: str = OPTION
    allows_unknown: bool = False

    @classmethod
    def of(
        cls, option: float | None, resolved: ResolvedSettings, *, allows_unknown: bool
    ) -> SpendingLimit:
        """
        Return the limit from the command line, or else from the settings.
        """
        if option is not None:
            return cls(option, OPTION, allows_unknown)
        source = resolved.sources["max_cost"]
        return cls(resolved.settings.max_cost, source, allows_unknown)

    def check(
        self, cost_usd: float | None, *, model: str, can_change: bool = True
    ) -> None:
        """
        Check an estimate against the limit. *can_change* says whether the user can ask
        for something cheaper.

        Raises:
            CostError: the estimate exceeds the limit, or the price is unknown.
        """
        if self.usd is None:
            return
        if cost_usd is None:
            if self.allows_unknown:
                return
            way_out = (
                "or remove --max-cost."
                if self.source == OPTION
                else f"or remove max_cost ({self.source})."
            )
            raise CostError(
                f"Nothing was submitted: the price of this request to {model} is "
                "unknown.",
                hint=f"Add --allow-unknown-cost, {way_out}",
            )
        if cost_usd > self.usd + _ROUNDING_USD:
            from krea_cli.output.human.format_text import dollars

            where = "" if self.source == OPTION else f" (max_cost from {self.source})"
            cheaper = ", or request fewer results or a lower resolution" * can_change
            raise CostError(
                f"Nothing was submitted: the estimate of {dollars(cost_usd)} is above "
                f"the limit of {dollars(self.usd)}{where}.",
                hint=f"Raise --max-cost{cheaper}."
                if self.source == OPTION
                else "Allow more for this command with --max-cost, or change "
                f"max_cost ({self.source}).",
            )
