"""Runs what a page promises: each ``thermo ...`` line of its shell blocks, and its Python blocks one after the other as one script.

    python tools/readme.py README.md docs/start.md

In an empty folder that holds a copy of examples/, so that the checkout stays clean.
"""
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(text: str, kind: str) -> list[str]:
    """Fenced blocks of that kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.M | re.S)


def main(pages: list[str]) -> int:
    for page in pages:
        text = Path(page).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "examples", Path(folder) / "examples")
            commands = [shlex.split(line, comments=True) for block in blocks(text, "sh") for line in block.splitlines() if line.startswith("thermo ")]
            if script := "\n".join(blocks(text, "python")):
                (Path(folder) / "page.py").write_text(script, encoding="utf-8")
                commands.append([sys.executable, "page.py"])
            for command in commands:
                print(f"  {page}: {shlex.join(command)}", flush=True)
                if command[0] == "thermo":
                    command = [sys.executable, "-m", *command]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                if done.returncode:
                    print(done.stdout[-2000:] + done.stderr[-2000:])
                    return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or [str(ROOT / "README.md")]))
