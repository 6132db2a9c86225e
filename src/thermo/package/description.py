"""What a package is made of: materials, layers with blocks in them, channels, films on its faces. No arrays, no solver.

Lengths are in m. `x` and `y` count from the middle of the package's footprint, and each thing is placed by its own middle; `z`
counts from the bottom, and layers are told from the bottom up. What no layer and no block fills is void: it carries no heat.
Heat is made in blocks, evenly over their thickness; a thin layer holds the plane in which a die's transistors are. Films act on the
six outermost faces of the box that the package fills: a ledge inside of it, such as a substrate around a narrower lid, is adiabatic.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
import pydantic
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, Field, field_validator, model_validator

from thermo._provenance import Provenance
from thermo.errors import ScenarioError, nearest, shown
from thermo.fluids import Fluid, as_fluid
from thermo.rack import Celsius, Count, Described, Identifier, NotNegative, Number, Positive, as_mapping, faults

__all__ = ["FACES", "Block", "Channels", "Convection", "Layer", "Material", "Package", "Rectangle", "as_package", "package_json"]

Floats = NDArray[np.float64]
Face = Literal["x-low", "x-high", "y-low", "y-high", "bottom", "top"]
FACES: tuple[str, ...] = get_args(Face)  # in the order of the kernels: x, y, z, low before high
CLOSE = 1e-9  # m: edges nearer than this are one edge
MOST_BLOCKS, MOST_LAYERS = 4096, 64

Length = Annotated[Number, Field(gt=0, le=1, allow_inf_nan=False)]  # m
Thickness = Annotated[Number, Field(gt=0, le=0.1, allow_inf_nan=False)]  # m
Place = Annotated[Number, Field(ge=-0.5, le=0.5, allow_inf_nan=False)]  # m
Conducts = Annotated[Number, Field(gt=0, le=1e4, allow_inf_nan=False)]  # W/(m K)
Film = Annotated[Number, Field(ge=0, le=1e8, allow_inf_nan=False)]  # W/(m2 K)
Map = Annotated[tuple[Annotated[tuple[Film, ...], Field(min_length=1, max_length=1024)], ...], Field(min_length=1, max_length=1024)]
CelsiusMap = Annotated[tuple[Annotated[tuple[Celsius, ...], Field(min_length=1, max_length=1024)], ...], Field(min_length=1, max_length=1024)]
Rectangle = tuple[float, float, float, float]  # x low, x high, y low, y high [m]


def _listed(value: Any) -> Any:
    """An array as the tuples that a description holds."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def _three(value: Any) -> Any:
    if isinstance(value, int | float) and not value > 0:
        raise ValueError("expected above 0 W/(m K)")
    return (value, value, value) if not isinstance(value, tuple | list | np.ndarray | str | Mapping) else _listed(value)


def _many(value: Any) -> Any:
    return _listed(value) if isinstance(value, tuple | list | np.ndarray) else (value,)


def as_material(value: Any) -> Any:
    """The library's material of a name; anything else as it is, for a description to check."""
    return Material.from_library(value) if isinstance(value, str) else value


class Material(Described):
    """A solid. `conductivity` along x, y and z, one number where they are equal.

    Where it changes with temperature, `conductivity` is times `conductivity_factor` at `conductivity_temperature`, straight
    between these points and flat beyond them.
    """

    name: Identifier
    title: str = ""
    conductivity: Annotated[tuple[Conducts, Conducts, Conducts], BeforeValidator(_three)]  # W/(m K)
    conductivity_temperature: tuple[Celsius, ...] = Field(default=(), max_length=64)
    conductivity_factor: tuple[Positive, ...] = Field(default=(), max_length=64)
    density: Annotated[Number, Field(ge=10, le=30_000)]  # kg/m3
    specific_heat: Annotated[Number, Field(ge=20, le=10_000)]  # J/(kg K)
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _table(self) -> Self:
        T = self.conductivity_temperature
        if len(T) != len(self.conductivity_factor) or len(T) == 1:
            raise ValueError("conductivity_temperature and conductivity_factor need as many entries as each other, two or more: "
                             f"{len(T)}, {len(self.conductivity_factor)}")
        if any(b <= a for a, b in zip(T, T[1:], strict=False)):
            raise ValueError("conductivity_temperature must rise")
        return self

    @classmethod
    def from_library(cls, name: str) -> Material:
        """The library's material of that name, e.g. ``Material.from_library("silicon")``."""
        from thermo import library

        found: Material = library.load("materials", name)
        return found

    @property
    def heat_capacity(self) -> float:
        """Heat capacity of a volume [J/(m3 K)]."""
        return self.density * self.specific_heat

    @property
    def varies(self) -> bool:
        """Whether its conductivity changes with temperature."""
        return len(set(self.conductivity_factor)) > 1

    def factor(self, T: ArrayLike) -> Floats:
        """What its conductivities are times at `T` [degC]. [1]"""
        if not self.conductivity_factor:
            return np.ones_like(np.asarray(T, dtype=np.float64))
        return np.asarray(np.interp(np.asarray(T, dtype=np.float64), self.conductivity_temperature, self.conductivity_factor))

    def at(self, T: float) -> Material:
        """The same material with the conductivity that it has at `T` [degC], whatever its temperature."""
        k = float(self.factor(T))
        return self.replace(conductivity=tuple(k * x for x in self.conductivity), conductivity_temperature=(), conductivity_factor=())


Solid = Annotated[Material, BeforeValidator(as_material)]


class Block(Described):
    """A rectangle of a layer: a die, a memory stack, a heater, a hole. Several alike are one block with several places.

    The name of a block with one place is that of the place; the places of others are ``name.0``, ``name.1``, ...
    """

    name: Identifier
    x: Annotated[tuple[Place, ...], BeforeValidator(_many), Field(min_length=1, max_length=MOST_BLOCKS)] = (0.0,)  # m, of its middle
    y: Annotated[tuple[Place, ...], BeforeValidator(_many), Field(min_length=1, max_length=MOST_BLOCKS)] = (0.0,)
    width: Length  # along x
    length: Length  # along y
    material: Solid | None = None  # None: that of the layer
    void: bool = False  # nothing is in it
    power: NotNegative = 0.0  # W, nominal, of all its places together

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y need as many entries as each other: {len(self.x)}, {len(self.y)}")
        if self.void and self.material is not None:
            raise ValueError("a void has no material: leave out one of the two")
        if self.void and self.power > 0:
            raise ValueError(f"a void makes no heat: its power is {self.power:g} W")
        return self

    @property
    def places(self) -> dict[str, Rectangle]:
        """The rectangle of each place, by the place's name."""
        many, dx, dy = len(self.x) > 1, self.width / 2, self.length / 2
        return {f"{self.name}.{i}" if many else self.name: (x - dx, x + dx, y - dy, y + dy)
                for i, (x, y) in enumerate(zip(self.x, self.y, strict=True))}


class _Slab(Described):
    """What a layer and a layer of channels have in common."""

    name: Identifier
    thickness: Thickness
    width: Length | None = None  # along x; None: of the package
    length: Length | None = None  # along y
    x: Place = 0.0  # of its middle
    y: Place = 0.0
    contact_resistance: Annotated[Number, Field(ge=0, le=0.01)] = 0.0  # K m2/W, between it and the layer above


def _named(value: Any, word: str, model: type[Described]) -> Any:
    """One entry of a list as what it describes; what is wrong with it is told with its name."""
    if not isinstance(value, Mapping):
        return value
    try:
        return model.model_validate(dict(value))
    except pydantic.ValidationError as error:
        refusal, name = faults(error, "", model), value.get("name")
        of = f" of {word} {shown(name)}" if isinstance(name, str) else ""
        refusal.__dict__["found"] = [(place, f"{of if place else ''}{text}") for place, text in refusal.__dict__["found"]]
        raise refusal from None


def _block(value: Any) -> Any:
    return _named(value, "block", Block)


def _layer(value: Any) -> Any:
    channels = isinstance(value, Mapping) and {"channel_count", "channel_width", "inlet_temperature", "fluid", "flow"} & set(value)
    return _named(value, "layer", Channels if channels else Layer)


class Layer(_Slab):
    """A slab of one material with blocks in it; outside its outline there is nothing."""

    material: Solid | None = None  # between the blocks; None: nothing
    blocks: tuple[Annotated[Block, BeforeValidator(_block)], ...] = Field(default=(), max_length=MOST_BLOCKS)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.material is None and not any(not b.void for b in self.blocks):
            raise ValueError(f"layer {self.name!r} is empty: give it a material, or blocks")
        for b in self.blocks:
            if b.material is None and not b.void and self.material is None:
                raise ValueError(f"block {b.name!r} has no material, and layer {self.name!r} has none either")
        names = [name for b in self.blocks for name in b.places]
        R = np.array([r for b in self.blocks for r in b.places.values()]).reshape(-1, 4)
        if len(R) > MOST_BLOCKS:
            raise ValueError(f"layer {self.name!r} has blocks at {len(R)} places, the limit is {MOST_BLOCKS}; give a finer pattern as a map of power")
        order = np.argsort(R[:, 0], kind="stable")
        found = []
        for n, i in enumerate(order):  # only those that begin before it ends along x
            j = order[n + 1:n + 1 + int(np.searchsorted(R[order[n + 1:], 0], R[i, 1] - CLOSE))]
            hit = j[(np.minimum(R[i, 3], R[j, 3]) - np.maximum(R[i, 2], R[j, 2]) > CLOSE)]
            found += [(int(i), int(k)) for k in hit[:5]]
        if found:
            i, k = found[0]
            dx, dy = (min(R[i, a + 1], R[k, a + 1]) - max(R[i, a], R[k, a]) for a in (0, 2))
            more = f"; {len(found) - 1} more overlap" if len(found) > 1 else ""
            raise ValueError(f"blocks {names[i]!r} and {names[k]!r} of layer {self.name!r} overlap by {1e3 * dx:.4g} mm x {1e3 * dy:.4g} mm{more}")
        return self


class Channels(_Slab):
    """Straight channels side by side between walls, with a coolant in them: the fins of a cold plate, `thickness` high.

    Channels run all along the outline, and their row is in its middle; what is left beside the row is solid. Film coefficients
    are those of developing flow in a rectangular duct (`thermo.formulas.nusselt_duct`), from the edge at which coolant comes in.
    """

    material: Solid
    channel_count: Annotated[Count, Field(ge=1, le=2000)]
    channel_width: Length
    fin_thickness: Length  # of the walls between channels
    fluid: Annotated[Fluid, BeforeValidator(as_fluid)]
    flow: Annotated[Number, Field(gt=0, le=0.1, allow_inf_nan=False)]  # m3/s, of all channels together
    flow_share: tuple[NotNegative, ...] | None = None  # of each channel; None: all alike
    inlet_temperature: Celsius
    direction: Literal["+x", "-x", "+y", "-y"] = "+x"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.flow_share is not None:
            if len(self.flow_share) != self.channel_count:
                raise ValueError(f"flow_share needs one entry for each of {self.channel_count} channels, has {len(self.flow_share)}")
            if min(self.flow_share) <= 0:
                raise ValueError("flow_share must be above 0 in each channel; make a blocked channel solid instead")
        low, high = self.fluid.lowest_temperature, self.fluid.highest_temperature
        if not low <= self.inlet_temperature <= high:
            raise ValueError(f"inlet_temperature is {self.inlet_temperature:g} degC, {self.fluid.name} is known from {low:g} to {high:g} degC")
        return self

    @property
    def blocks(self) -> tuple[Block, ...]:
        """None: channels leave no room for blocks."""
        return ()

    @property
    def along_x(self) -> bool:
        """Whether coolant flows along x."""
        return self.direction.endswith("x")

    @property
    def row(self) -> float:
        """Width of the row of channels with the walls between them [m]."""
        return self.channel_count * self.channel_width + (self.channel_count - 1) * self.fin_thickness

    @property
    def shares(self) -> Floats:
        """Of the flow in each channel. [1]"""
        share = np.ones(self.channel_count) if self.flow_share is None else np.asarray(self.flow_share)
        return np.asarray(share / share.sum())


class Convection(Described):
    """A film on a face of the box that the package fills: a coefficient and the temperature of what is beyond it.

    Each is a number or a map: rows along y (of a side: along z), columns along x (of the sides in x: along y), from low to high.
    """

    face: Face
    coefficient: Film | Map  # W/(m2 K)
    temperature: Celsius | CelsiusMap  # degC

    @field_validator("coefficient", "temperature", mode="before")
    @classmethod
    def _even(cls, value: Any) -> Any:
        value = _listed(value)
        if isinstance(value, tuple | list) and len({len(row) if isinstance(row, tuple | list) else -1 for row in value}) != 1:
            raise ValueError("expected a number, or a map with rows of one length")
        return value


class Package(Described):
    """A stack of layers from the bottom up, and the films on its faces. A face without a film is adiabatic.

    Examples
    --------
    >>> from thermo.package import Block, Convection, Layer, Package
    >>> die = Layer(name="die", thickness=0.7e-3, material="silicon", blocks=(Block(name="core", width=0.01, length=0.01, power=100.0),))
    >>> lid = Layer(name="lid", thickness=3e-3, material="copper", contact_resistance=0.0)
    >>> chip = Package(name="chip", width=0.02, length=0.02, layers=(die, lid),
    ...                convection=(Convection(face="top", coefficient=2e4, temperature=40.0),))
    >>> chip.power
    {'core': 100.0}
    """

    name: Identifier
    title: str = ""
    width: Length  # along x
    length: Length  # along y
    layers: tuple[Annotated[Layer | Channels, BeforeValidator(_layer)], ...] = Field(
        min_length=1, max_length=MOST_LAYERS)
    convection: tuple[Convection, ...] = Field(default=(), max_length=6)
    case: Identifier | None = None  # the layer whose upper face is the package's case
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong = [*_repeated([layer.name for layer in self.layers], "layer")]
        wrong += _repeated([p for layer in self.layers for b in layer.blocks for p in b.places], "block")
        wrong += _repeated([c.face for c in self.convection], "film on the face")
        for layer in self.layers:
            r = self.outline(layer)
            if over := _beyond(r, self.footprint):
                wrong.append(f"layer {layer.name!r} reaches {over} beyond the package of {_size(self.footprint)}{_unit_slip(r, self.footprint)}")
            for name, inner in ((n, p) for b in layer.blocks for n, p in b.places.items()):
                if over := _beyond(inner, r):
                    wrong.append(f"block {name!r} of layer {layer.name!r} reaches {over} outside its layer of {_size(r)}{_unit_slip(inner, r)}")
            if isinstance(layer, Channels):
                across = r[3] - r[2] if layer.along_x else r[1] - r[0]
                if layer.row > across + CLOSE:
                    wrong.append(f"layer {layer.name!r}: {layer.channel_count} channels and the walls between them are {1e3 * layer.row:.4g} mm "
                                 f"wide, the layer is {1e3 * across:.4g} mm; use fewer or narrower ones")
        if self.case is not None and self.case not in (names := [layer.name for layer in self.layers]):
            wrong.append(f"case: no layer is called {self.case!r}{nearest(self.case, names)}")
        if wrong:
            raise ValueError("; ".join(wrong[:6]) + (f"; and {len(wrong) - 6} more" if len(wrong) > 6 else ""))
        return self

    @classmethod
    def from_library(cls, name: str) -> Package:
        """The library's package of that name, e.g. ``Package.from_library("h100-sxm")``."""
        from thermo import library

        found: Package = library.load("packages", name)
        return found

    @classmethod
    def from_file(cls, path: str) -> Package:
        """A package of one's own from a TOML file, with the same checks as the library's."""
        from thermo import library

        found: Package = library.load_file("packages", path)
        return found

    @property
    def footprint(self) -> Rectangle:
        """The rectangle that the package fills, seen from above."""
        return (-self.width / 2, self.width / 2, -self.length / 2, self.length / 2)

    def outline(self, layer: Layer | Channels) -> Rectangle:
        """The rectangle of a layer."""
        dx, dy = (self.width if layer.width is None else layer.width) / 2, (self.length if layer.length is None else layer.length) / 2
        return (layer.x - dx, layer.x + dx, layer.y - dy, layer.y + dy)

    @property
    def places(self) -> dict[str, tuple[Layer, Block, Rectangle]]:
        """Every place of every block, by its name: its layer, its block, its rectangle."""
        return {name: (layer, block, r) for layer in self.layers if isinstance(layer, Layer) for block in layer.blocks for name, r in block.places.items()}

    @property
    def power(self) -> dict[str, float]:
        """Nominal power of every block that has one [W]."""
        return {b.name: b.power for layer in self.layers for b in layer.blocks if b.power > 0}

    @property
    def materials(self) -> tuple[Material, ...]:
        """The materials that are in it, each once."""
        return tuple(dict.fromkeys(m for layer in self.layers
                                   for m in (layer.material, *(b.material for b in layer.blocks)) if m is not None))

    def film(self, face: str) -> Convection | None:
        """What is on a face."""
        return next((c for c in self.convection if c.face == face), None)

    def uniform(self) -> bool:
        """Whether every layer is one constant material over the whole footprint, with films on bottom and top alone and no maps of them.

        Such a package is solved without cells along z.
        """
        if any(c.face not in ("bottom", "top") or isinstance(c.coefficient, tuple) or isinstance(c.temperature, tuple) for c in self.convection):
            return False
        return all(isinstance(layer, Layer) and layer.material is not None and not layer.material.varies
                   and max(map(abs, np.subtract(self.outline(layer), self.footprint))) <= CLOSE
                   and all(not b.void and b.material in (None, layer.material) for b in layer.blocks) for layer in self.layers)


def as_package(value: Package | str) -> Package:
    """The library's package of a name, or the package that it is."""
    if isinstance(value, str):
        return Package.from_library(value)
    if not isinstance(value, Package):
        raise ScenarioError(f"package is {shown(value)}: expected a thermo.package.Package, or the name of one in the library")
    return value


def package_json(package: Package) -> dict[str, Any]:
    """A package as plain numbers and texts: ``Package.from_mapping(package_json(package), "package")`` is the package again."""
    return _dense(as_mapping(package))


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _dense(v) for k, v in value.items() if v is not None}
    return [_dense(v) for v in value] if isinstance(value, list) else value


def _repeated(names: list[str], word: str) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{word} {name!r} is there more than once"
        seen.add(name)


def _beyond(inner: Rectangle, outer: Rectangle) -> str:
    over = max(outer[0] - inner[0], inner[1] - outer[1], outer[2] - inner[2], inner[3] - outer[3])
    return f"{1e3 * over:.4g} mm" if over > CLOSE else ""


def _size(r: Rectangle) -> str:
    return f"{1e3 * (r[1] - r[0]):.4g} mm x {1e3 * (r[3] - r[2]):.4g} mm"


def _unit_slip(inner: Rectangle, outer: Rectangle) -> str:
    return "; is it in mm, or in inch?" if max(inner[1] - inner[0], inner[3] - inner[2]) > 10 * max(outer[1] - outer[0], outer[3] - outer[2]) else ""
