"""A form for a probe's parameters. The loading side checks them; the form shows its errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from ebpftop.frames.messages import ParamInfo, ProbeInfo
from ebpftop.model.trigger import BadTrigger, Trigger, bind, parse
from ebpftop.ui.drawing.inert import for_input, inert
from ebpftop.ui.drawing.theme import NOT_HERE
from ebpftop.ui.messages import LoadAsked
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.widgets.panel import words

WHEN = "mark when"  # no parameter's name


class ParameterForm(Dialog[None]):
    """Stays open until the load begins: `show_error` shows why it didn't. given: initial values. request: the number of
    the last request sent.
    """

    DEFAULT_CSS = """
    ParameterForm {
        align: center middle;
        background: $background 70%;
        & > VerticalScroll {
            width: 76;
            max-width: 96%;
            height: auto;
            max-height: 94%;
            border: round $primary;
            background: $surface;
            padding: 1 2 0 2;
        }
        & Static { height: auto; }
        & Input {
            height: 1;
            border: none;
            padding: 0 1;
            background: $bar-back;
            &:focus { border: none; background: $cursor; }
        }
        & .error { color: $error; text-style: bold; min-height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "load", "load", tooltip="Load the probe with these values"),
        Binding("escape", "dismiss", "close", tooltip="Close the form"),
    ]

    def __init__(self, probe: ProbeInfo, given: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self.probe = probe
        self.request = 0
        self.inputs = {param.name: _input(param, given.get(param.name, "")) for param in probe.params}
        self.when = Input(placeholder=_example(probe), select_on_focus=False)
        self.errors = {name: _error() for name in (*self.inputs, WHEN, "")}  # below each field, and below all of them

    def compose(self) -> Iterable[Widget]:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = words("load", self.probe.id)
            box.border_subtitle = "Enter loads · Tab next · Esc closes"
            for param in self.probe.params:
                yield Static(_label(param), markup=False)
                yield self.inputs[param.name]
                yield self.errors[param.name]
            yield Static(Content.assemble(("mark when", "bold"), "  a trigger, without the probe's name"), markup=False)
            yield self.when
            yield self.errors[WHEN]
            yield self.errors[""]

    def on_mount(self) -> None:
        self.set_focus(next(iter(self.inputs.values()), None))  # now, so that it gets the keys typed next

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field arrives here, after the characters typed before it."""
        event.stop()
        self.action_load()

    def action_load(self) -> None:
        params = {name: field.value.strip() for name, field in self.inputs.items() if field.value.strip()}
        for error in self.errors.values():
            error.update("")
        try:
            when = self._trigger()
        except BadTrigger as error:
            self.errors[WHEN].update(Content(f"{NOT_HERE} {inert(str(error))}"))
            self.when.focus()
        else:
            self.app.post_message(LoadAsked(self.probe.id, params, typed=True, when=when))

    def _trigger(self) -> Trigger | None:
        """The typed trigger, checked against the probe. Raises `BadTrigger`."""
        text = self.when.value.strip()
        if not text:
            return None
        trigger = parse(f"{self.probe.id} {text}")
        bind(trigger, self.probe.views)
        return trigger

    def show_error(self, error: str) -> None:
        """Show what is wrong, `PROBE: PARAMETER: …`, at its field, which gets the focus."""
        name, colon, what = error.removeprefix(f"{self.probe.id}: ").partition(": ")
        at = name if colon and name in self.inputs else ""
        self.errors[at].update(Content(f"{NOT_HERE} {inert(what if at else error)}"))
        if at:
            self.inputs[at].focus()


def _example(probe: ProbeInfo) -> str:
    shown = {view.show for view in probe.views}
    return "p99 > 20ms for 3s" if "histogram" in shown else 'count("words") > 5 for 10s'


def _input(param: ParamInfo, value: str) -> Input:
    choices = ["true", "false"] if param.type == "bool" else param.choices
    unset = inert(param.default) if param.default is not None else "not set: no filter"
    if param.type == "pid":
        unset += "; PID, or CONTAINER:PID as seen inside the container"
    suggester = SuggestFromList([inert(choice) for choice in choices]) if choices else None
    return Input(for_input(value), placeholder=unset, suggester=suggester, select_on_focus=False)


def _error() -> Static:
    return Static("", markup=False, classes="error")


def _label(param: ParamInfo) -> Content:
    choices = " | ".join(inert(choice) for choice in param.choices)
    kind = f"{inert(param.type)}: {choices}" if choices else inert(param.type)
    return Content.assemble((inert(param.name), "bold"), f"  {inert(param.help)}  ", (kind, "$quiet"))
