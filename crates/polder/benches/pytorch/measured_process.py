"""Child processes with the peak of their memory, the machine that they run on, and medians with their ranges."""

import importlib.metadata
import os
import pathlib
import resource
import statistics
import subprocess

INSTRUCTIONS = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16"]


def run(command):
    """What a command prints, and the high-water mark of its resident memory in bytes.

    A child starts with its parent's mark, so a parent with more memory (one that imports PyTorch) can't measure it.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    assert usage.ru_maxrss > own, "the peak is the parent's, not the child's"
    return out, usage.ru_maxrss * 1024


def machine():
    fields = {}
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    return {
        "cpu": fields.get("model name", "unknown"),
        "cores": os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "load": os.getloadavg()[0],
        "torch": importlib.metadata.version("torch"),
        "transformers": importlib.metadata.version("transformers"),
    }


def described(machine, threads):
    return (
        f"{machine['cores']} cores of {machine['cpu']} ({', '.join(machine['instructions'])}), {threads} threads, "
        f"load {machine['load']:.1f} at the start, PyTorch {machine['torch']}, transformers {machine['transformers']}"
    )


def median_and_range(values, digits=3):
    return f"{statistics.median(values):.{digits}g} ({min(values):.{digits}g}–{max(values):.{digits}g})"
