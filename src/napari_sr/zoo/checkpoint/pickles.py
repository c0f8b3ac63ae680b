"""A reader of the pickles that torch.save writes: it makes dicts, lists and numbers, and calls nothing that they name.

Python's and torch's unpicklers reserve memory by numbers in the file, and call functions. This one interprets the
opcodes itself; a pickle that names anything but parts of tensors and plain values is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from napari_sr.zoo.checkpoint.pickled_values import (
    ForeignError,
    Global,
    Inert,
    StorageReference,
    UnreadableError,
    called,
    checked_global,
    hashable,
    storage_of,
)

#: Largest number of opcodes; the checkpoint of a training of ESRGAN has about 200,000.
_MOST_STEPS = 1_000_000
#: Beginning of the values of a container on the stack.
_MARK = object()


def load_pickle(stream: BinaryIO, storages: list[StorageReference] | None = None) -> Any:
    """Read one pickle, from the present position of a file on; afterward the position is behind it.

    It consists of dicts, lists, tuples, sets, numbers, texts, `TensorReference`, and objects without content for all
    others. All storages that it names are appended to `storages`. Raises `ForeignError` if it names something that is
    no part of tensors or plain values, and `UnreadableError` if it is damaged, too long, or of another kind.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > _MOST_STEPS:
                raise UnreadableError(f"more than {_MOST_STEPS} steps")
            if opcode.name == "STOP":
                if storages is not None:
                    storages.extend(machine.storages)
                return machine.pop()
            machine.step(opcode.name, argument)
    except (ForeignError, UnreadableError):
        raise
    # Damaged data raise these in pickletools and on an empty stack.
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    raise UnreadableError("no end")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: list[StorageReference] = []
        self.counted = 0

    def step(self, name: str, argument: Any) -> None:
        """Execute an opcode."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
            self.count(_SIZES.get(name, 0))
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise UnreadableError(f"opcode {name}")

    def count(self, size: int) -> None:
        """Count the values of new containers, so that a short pickle cannot fill the memory."""
        self.counted += size
        if self.counted > _MOST_STEPS:
            raise UnreadableError("too many containers")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise UnreadableError("a mark in place of a value")
        return value

    def pop_marked(self) -> list[Any]:
        """Take the values behind the last mark."""
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        values.reverse()
        return values

    def put(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnreadableError("a name that is no text")
        self.stack.append(checked_global(module, name))

    def reduce(self, keywords: bool = False) -> None:
        if keywords:
            self.pop()
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise UnreadableError("a call of a value")
        # Copies of one long list, made again and again, would take any amount of memory.
        self.count(sum(len(value) for value in arguments if isinstance(value, list | tuple | set)))
        self.stack.append(called(function, arguments))

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            return
        if not isinstance(target, dict) or len(values) % 2:
            raise UnreadableError("items of a value that is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[hashable(key)] = value

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            return
        if not isinstance(target, list):
            raise UnreadableError("items of a value that is no list")
        target.extend(values)

    def add(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, set):
            raise UnreadableError("items of a value that is no set")
        target.update(map(hashable, values))

    def persistent(self, value: object) -> None:
        self.storages.append(storage_of(value))
        self.stack.append(self.storages[-1])


#: Opcodes that push their argument.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
#: Opcodes that push a new value.
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
#: Sizes of empty containers in memory, in values.
_SIZES = {"EMPTY_LIST": 5, "EMPTY_DICT": 5, "EMPTY_SET": 25}


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


def _discard(machine: _Machine, argument: Any) -> None:
    machine.stack.pop()


def _discard_marked(machine: _Machine, argument: Any) -> None:
    machine.pop_marked()


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def action(machine: _Machine, argument: Any) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(reversed(values)))

    return action


def _get(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[argument])


def _put(machine: _Machine, argument: Any) -> None:
    machine.put(argument)


def _named(machine: _Machine, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    machine.name(module, name)


def _named_on_stack(machine: _Machine, argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _set_item(machine: _Machine, argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _new_dict(machine: _Machine, argument: Any) -> None:
    values = machine.pop_marked()
    machine.stack.append({})
    machine.set_items(values)


def _instance(machine: _Machine, argument: Any) -> None:
    # INST names a class and calls it, which torch.save never does.
    _named(machine, argument)
    raise UnreadableError("an instance")


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "POP": _discard,
    "POP_MARK": _discard_marked,
    "DUP": lambda machine, argument: machine.stack.append(machine.stack[-1]),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda machine, argument: machine.stack.append(tuple(machine.pop_marked())),
    "LIST": lambda machine, argument: machine.stack.append(machine.pop_marked()),
    "DICT": _new_dict,
    "FROZENSET": lambda machine, argument: machine.stack.append(set(map(hashable, machine.pop_marked()))),
    "APPEND": lambda machine, argument: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, argument: machine.extend(machine.pop_marked()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, argument: machine.set_items(machine.pop_marked()),
    "ADDITEMS": lambda machine, argument: machine.add(machine.pop_marked()),
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "GLOBAL": _named,
    "STACK_GLOBAL": _named_on_stack,
    "INST": _instance,
    "REDUCE": lambda machine, argument: machine.reduce(),
    "NEWOBJ": lambda machine, argument: machine.reduce(),
    "NEWOBJ_EX": lambda machine, argument: machine.reduce(keywords=True),
    # The state of an object, such as the attributes of an OrderedDict, is not used.
    "BUILD": _discard,
    "BINPERSID": lambda machine, argument: machine.persistent(machine.pop()),
}
