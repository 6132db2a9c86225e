"""The report opens in a real browser without a fault, its slider and its choice of design move, and nothing of a result can become a script."""
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import thermo
from thermo import cli, report, store
from thermo.errors import OutputError, ScenarioError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def result():
    load = thermo.workload.constant(0.5, duration=1200.0, time_step=60.0)
    load = load.copy(data=0.5 + 0.4 * np.sin(np.arange(load.size)))
    return thermo.simulate_rack(thermo.Rack.from_library("t4-server", servers=3), load, power="ac-ups-415v").assign_attrs(title=NASTY)


@pytest.fixture(scope="module")
def table():
    load = thermo.workload.constant(0.8, duration=600.0, time_step=60.0)
    return thermo.compare_cooling(thermo.Rack.from_library("t4-server", servers=2), load, {"air": "air", "plates": "cold-plate", "<img src=x onerror=alert(1)>": "no"},
                                  horizon=None, sizing="given", workers=1)


def in_browser(text, script, folder):
    """Loads the page in Chromium, runs `script` there, gives what it returned, with every error that the page had."""
    watch = "<script>window.faults = []; window.onerror = (m) => faults.push(String(m)); console.error = (...a) => faults.push(a.join(' '));</script>"
    ask = ("<script>window.addEventListener('load', async () => { let out; try { out = await (async () => {" + script + "})(); } catch (e) { faults.push(String(e)); } "
           "const p = document.createElement('pre'); p.id = 'told'; p.textContent = JSON.stringify({out, faults, title: document.title}); document.body.append(p); });</script>")
    page = folder / "page.html"
    page.write_text(text.replace("<head>", f"<head>{watch}", 1).replace("</body></html>", f"{ask}</body></html>"), encoding="utf-8")
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--dump-dom", page.as_uri()],
                          capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    from html import unescape

    return json.loads(unescape(found[1]))


browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@browser
def test_a_result_in_a_browser(result, tmp_path):
    """Every plot has its traces and units; the slider shows another time."""
    told = in_browser(report.html_report(result), """
        const plots = {}; for (const div of document.querySelectorAll('.plot'))
            plots[div.id] = {traces: div.data.map(t => t.name || t.type), unit: div.layout.yaxis && div.layout.yaxis.title && div.layout.yaxis.title.text};
        const front = document.getElementById('front'), before = JSON.stringify(front.data[0].z);
        const step = front.layout.sliders[0].steps[5]; await Plotly.animate('front', ...step.args);
        return {plots, moved: JSON.stringify(front.data[0].z) !== before, scripts: document.querySelectorAll('img').length};""", tmp_path)
    assert told["faults"] == [] and told["title"] == NASTY and told["out"]["scripts"] == 0 and told["out"]["moved"]
    plots = told["out"]["plots"]
    assert plots["power"] == {"traces": ["utility", "IT", "fans"], "unit": "power [kW]"}
    assert plots["junctions"] == {"traces": ["hottest", "mean"], "unit": "junction of the accelerators [°C]"}
    assert plots["coolant"]["traces"] == ["supply", "return"] and plots["balance"]["unit"] == "energy residual [W]"
    assert plots["front"]["traces"] == ["heatmap"] and plots["flows"]["traces"] == plots["heat"]["traces"] == ["sankey"]


@browser
def test_a_comparison_in_a_browser(table, tmp_path):
    """The choice of a design shows that design's numbers; a nasty name stays text."""
    told = in_browser(report.html_report(table), """
        const choice = document.getElementById('design'), over = document.getElementById('over0'), seen = {};
        for (const option of choice.options) { choice.value = option.value; choice.dispatchEvent(new Event('change')); seen[option.value] = over.data[0].y[0]; }
        return {seen, bars: document.getElementById('parts').data.map(t => t.name), cells: document.querySelectorAll('#all-numbers td').length};""", tmp_path)
    assert told["faults"] == [] and told["title"].endswith("cooling designs compared")
    assert told["out"]["seen"] == {d: pytest.approx(float(table.utility_power.sel(design=d)[0]) / 1e3, rel=1e-5) for d in ("air", "plates")}
    assert told["out"]["bars"] == ["power chain", "fans", "pumps", "heat rejection"]
    assert told["out"]["cells"] > 4 * 20


def test_size_and_peaks(result):
    """A day at a second is drawn with every peak and stays far below 10 MB; what is shown is what was computed."""
    x = np.arange(86_401.0)
    y = np.sin(x)
    y[12_345] = 7.0
    trace = report._trace(x, y, "y", "#000")
    assert max(trace["y"]) == 7.0 and len(trace["y"]) <= 4 * report.POINTS
    text = report.html_report(result)
    assert len(text) < 6e6 and "http://" not in re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert "assumptions" in text and "estimate(" in text and "&quot;rack&quot;" in text


def test_files(result, table, tmp_path, capsys):
    """Written whole or not at all; only a report of ours is replaced."""
    path = report.write_report(result, tmp_path / "a.html")
    with pytest.raises(OutputError, match="there already"):
        report.write_report(result, path)
    report.write_report(table, path, overwrite=True)
    (tmp_path / "b.html").write_text("<html>mine</html>")
    with pytest.raises(OutputError, match="not a report that thermo made"):
        report.write_report(result, tmp_path / "b.html", overwrite=True)
    for name, says in (("a.txt", "as .html"), ("none/a.html", "no folder")):
        with pytest.raises(OutputError, match=says):
            report.write_report(result, tmp_path / name)
    with pytest.raises(ScenarioError, match="neither a result"):
        report.write_report(result[["fan_power"]], tmp_path / "c.html")
    with pytest.raises(ScenarioError, match="no samples"):
        report.write_report(result.isel(time=[]), tmp_path / "c.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]
    store.write(result.assign_attrs(title="t"), tmp_path / "r.nc")
    assert cli.main(["report", str(tmp_path / "r.nc"), "-o", str(tmp_path / "r.html")]) == 0 and (tmp_path / "r.html").exists()
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
