"""Pages made from what the repository holds: ``gallery`` (docstrings of examples/), ``laws`` (those of `thermo.formulas`), fields of descriptions;
and equations as MathML, which needs no script and no network."""
import ast
import inspect
import re
import unicodedata
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from docutils.utils.math import latex2mathml
from sphinx.util.nodes import nested_parse_with_titles

ROOT = Path(__file__).resolve().parents[2]


class FromFiles(Directive):
    """Parses the reStructuredText that a subclass writes."""

    def text(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(self.text().splitlines(), source=self.name), node)
        return node.children


class Gallery(FromFiles):
    """Each example: the question that its docstring begins with, the rest of it, and its code to fold out."""

    def text(self) -> str:
        out = []
        for path in sorted((ROOT / "examples").glob("*.py")):
            self.state.document.settings.env.note_dependency(str(path))
            source = path.read_text(encoding="utf-8")
            doc = inspect.cleandoc(ast.get_docstring(ast.parse(source)) or "")
            question, _, rest = doc.partition("\n")
            out += [path.stem, "-" * len(path.stem), "", f"**{question}**", "", rest, "", f"``python examples/{path.name}``", "",
                    ".. collapse:: the code", "", f"   .. literalinclude:: /../examples/{path.name}", "      :language: python", ""]
        return "\n".join(out)


class Collapse(Directive):
    """Content that is folded away until one asks for it."""

    has_content, final_argument_whitespace, required_arguments = True, True, 1

    def run(self) -> list[nodes.Node]:
        inner = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inner)
        head = nodes.raw("", f"<details><summary>{self.arguments[0]}</summary>", format="html")
        return [head, *inner.children, nodes.raw("", "</details>", format="html")]


class Laws(FromFiles):
    """The formulas whose names match a pattern: what each is, its equation, its source."""

    required_arguments = 1
    option_spec = {"class": directives.class_option}

    def text(self) -> str:
        from thermo import formulas

        out, found = [], [n for n in formulas.__all__ if re.fullmatch(self.arguments[0], n)]
        if not found:
            raise self.error(f"no formula matches {self.arguments[0]}")
        for name in found:
            doc = inspect.cleandoc(getattr(formulas, name).__doc__ or "")
            source = re.search(r"^References\n-+\n(.*?)(?=\n\n\S|\Z)", doc, re.M | re.S)
            math = re.findall(r"^\.\. math::.*?(?=\n\n\S|\Z)", doc, re.M | re.S)
            words = re.sub(r"\s+", " ", source[1]) if source else ""
            words = re.sub(r"\s*\.\. \[\d+\] ", " ", words).strip()
            out += [f":py:obj:`thermo.formulas.{name}`: {doc.splitlines()[0]}", "", *math, "", f"Source: {words}" if words else "", ""]
        return "\n".join(out)


def plain(text):
    """Text whose stars and bars are meant as such."""
    text = re.sub(r"([*|_\\\\])", r"\\\1", text)
    return text if text.count("`") % 2 == 0 else text.replace("`", "'")


def mathml(node, block):
    """An equation as MathML; `\\big` and its like only size brackets, and an index stands beside what has a dot or a bar, not below it."""
    text = re.sub(r"\\[bB]igg?(?![a-zA-Z])", "", node.astext()).strip()
    text = re.sub(r"\\dot(?:\s+|\{)([a-zA-Z])(?![a-zA-Z])\}?", lambda m: unicodedata.normalize("NFC", m[1] + "\u0307"), text)
    rows = re.split(r"\n\s*\n", text) if block else [text]
    out = "".join(latex2mathml.tex2mathml(row, as_block=block) for row in rows)
    return re.sub(r"<munderover>(\s*<mi>\w</mi>)((?:(?!munderover).)*?)(\s*<mo[^>]*>\u02c9</mo>\s*)</munderover>",
                  r"<msub><mover>\1\3</mover>\2</msub>", out, flags=re.S)


def inline_math(writer, node):
    """Writes an equation in a line."""
    writer.body.append(mathml(node, False))
    raise nodes.SkipNode


def block_math(writer, node):
    """Writes an equation of its own."""
    writer.body.append(f'<div style="overflow-x: auto; padding: 0.6em 0">{mathml(node, True)}</div>')
    raise nodes.SkipNode


def fields(app, what, name, obj, options, lines):
    """Adds to a description its fields, with the default and the comment that stand beside each in the source."""
    if what != "class" or not hasattr(obj, "model_fields"):
        return
    rows = []
    for line in inspect.getsource(obj).splitlines():
        if re.match(r"    (@|def )", line):
            break
        if (found := re.match(r"    (\w+): (.*?)(?:  # (.*))?$", line)) and found[1] in obj.model_fields and found[1] != "provenance":
            field = obj.model_fields[found[1]]
            default = "required" if field.is_required() else repr(field.default) if field.default_factory is None else "see the source"
            default = default if len(default) < 60 else "see the source"
            rows.append(f"- **{found[1]}** (``{default}``): {plain(found[3])}" if found[3] else f"- **{found[1]}** (``{default}``)")
    if rows:
        lines += ["", "Fields, with default and unit:", "", *rows, ""]


def setup(app):
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", fields, priority=900)  # numpydoc has gone before
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.add_directive("gallery", Gallery)
    app.add_directive("collapse", Collapse)
    app.add_directive("laws", Laws)
    return {"parallel_read_safe": True}
