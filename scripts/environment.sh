# What the demo and the test command share: a Python, an environment, and the system libraries Qt needs.
# Sourced, not run. Sets: root (the checkout).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What Qt 6 and OpenGL load on Linux and PyQt6's wheels do not bring: library, and the Debian package that holds it.
QT_LIBRARIES="
libEGL.so.1 libegl1
libGL.so.1 libgl1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-shape.so.0 libxcb-shape0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
"

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Set `python` to the first Python >= 3.11. Each is tried, not only found: pyenv puts names on the path that run nothing.
choose_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    die "napari-sr needs Python 3.11 or newer and found none: install it (on Debian: apt-get install python3 python3-venv)" \
        "or name one, as in PYTHON=/path/to/python3 $0"
}

# Debian splits venv off from Python; what is missing then is ensurepip.
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

venv_package() { "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }

# Make the environment $1 unless it is there and runs.
make_environment() {
    if "$1/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    has_venv || die "This Python cannot make environments: install its venv module (on Debian: apt-get install $(venv_package)) and run $0 again."
    printf 'Making an environment in %s (minutes the first time, seconds later) ...\n' "$1" >&2
    "$python" -m venv --clear "$1"
}

# Print the Debian packages whose libraries do not load, on one line.
missing_qt_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    "$python" -c '
import ctypes, sys

words = sys.argv[1].split()
missing = []
for library, package in zip(words[::2], words[1::2]):
    try:
        ctypes.CDLL(library)
    except OSError:
        missing.append(package)
print(*missing)
' "$QT_LIBRARIES"
}
