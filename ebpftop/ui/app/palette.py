"""The command palette: every action available on this screen, every playbook and every probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, cast

from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Button, Input

from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import LoadAsked, PlayAsked
from ebpftop.ui.screens.leaving import Dialog

Command = tuple[str, str, Callable[[], Any]]  # name, description, action


class Fed(Protocol):
    """The application, as far as the palette needs it."""

    feed: Feed


class Palette(CommandPalette, Dialog[None]):
    """Textual's, which fails at a second key before the first was handled."""

    def _action_command_list(self, action: str) -> None:
        """Move in the list, or choose. Textual fails at that while the list isn't shown."""
        if self.is_in_front and self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)

    def _select_or_command(self, event: Input.Submitted | Button.Pressed | None = None) -> None:
        if self.is_in_front:
            super()._select_or_command(event)
        if not self.is_in_front:
            self._selected_command = None  # it runs once


class Commands(Provider):
    async def discover(self) -> Hits:
        for name, description, run in self._commands():
            yield DiscoveryHit(Content(name), run, text=name, help=description)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, description, run in self._commands():
            score = max(matcher.match(name), matcher.match(description) / 2)
            if score > 0:
                yield Hit(score, Content(name), run, text=name, help=description)

    def _commands(self) -> Iterator[Command]:
        app, feed = self.app, cast(Fed, self.app).feed
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.description and not binding.system and (binding.id or binding.show):
                run = partial(app.run_action, binding.action, active.node)
                yield binding.description, binding.tooltip or app.get_key_display(binding), run
        catalog = feed.session.catalog
        for playbook in catalog.playbooks if catalog else []:
            yield (
                f"play {inert(playbook.name)}",
                inert(playbook.title),
                partial(app.post_message, PlayAsked(playbook.name)),
            )
        for probe in catalog.probes if catalog else []:
            yield f"load {inert(probe.id)}", inert(probe.title), partial(app.post_message, LoadAsked(probe.id))
