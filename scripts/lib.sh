# shellcheck shell=bash
# What quickstart, test and lock share: the system's packages, the virtual environment, the project in it.
# Sourced, never run; kept to what the bash 3.2 of macOS understands.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
constraints=$root/scripts/constraints.txt

say() { printf '==> %s\n' "$*"; }

warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die STATUS MESSAGE: end with a status of sysexits.h.
die() {
    local status=$1
    shift
    warn "$*"
    exit "$status"
}

has() { command -v "$1" >/dev/null 2>&1; }

# quietly COMMAND...: run it, and show the end of its output only if it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [ "$status" -eq 0 ] || { warn "failed: $*"; tail -n 20 "$log" | cut -c 1-300 >&2; }
    rm -f "$log"
    return "$status"
}

# --- What the system must have ---------------------------------------------------------------------------------------

# Packages that are lacking, by Debian's names.
lacking=()

has_browser() { has chromium || has chromium-browser || has google-chrome; }

has_engine() { has "${NOVA_ENGINE:-astrometry-engine}"; }

# The folders that the engine's configuration names, looked for where nova looks for them.
index_folders() {
    local engine config
    engine=$(command -v "${NOVA_ENGINE:-astrometry-engine}" || true)
    for config in "${NOVA_ENGINE_CONFIG:-}" "${engine%/*}/../etc/astrometry.cfg" /etc/astrometry.cfg \
        /usr/local/etc/astrometry.cfg /opt/homebrew/etc/astrometry.cfg; do
        if [ -f "$config" ]; then
            sed -n 's/^[[:space:]]*add_path[[:space:]]*//p' "$config"
            return
        fi
    done
}

has_index_files() {
    local folder
    [ -z "${NOVA_INDEX:-}" ] || return 0
    while read -r folder; do
        [ -z "$(find "$folder/" -maxdepth 1 -name 'index-*.fits' 2>/dev/null | head -n 1)" ] || return 0
    done < <(index_folders)
    return 1
}

is_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

has_venv_module() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Print a Python that is new enough: $PYTHON, else preferably one that can make virtual environments.
find_python() {
    local name names="python3 python3.14 python3.13 python3.12 python3.11 python"
    if [ -n "${PYTHON:-}" ]; then
        is_python "$PYTHON" || die 69 "\$PYTHON is $PYTHON, which is not Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for name in $names; do
        if is_python "$name" && has_venv_module "$name"; then echo "$name" && return; fi
    done
    for name in $names; do
        if is_python "$name"; then echo "$name" && return; fi
    done
    return 1
}

has_working_venv() { is_python "$venv/bin/python" && "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; }

# note_lacking_basics: what it takes to solve an image goes into `lacking`.
note_lacking_basics() {
    local python
    has_engine || lacking+=(astrometry.net)
    has_index_files || lacking+=(astrometry-data-tycho2)
    has_working_venv && return
    if ! python=$(find_python); then
        # A distribution whose own Python is older may have a newer one beside it.
        if has python3; then lacking+=(python3.11 python3.11-venv); else lacking+=(python3 python3-venv); fi
    elif ! has_venv_module "$python"; then
        lacking+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
    fi
}

# Print the folder of PostgreSQL's programs: Debian keeps initdb and postgres off PATH.
postgresql_folder() {
    local program
    for program in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb)"; do
        [ -x "$program" ] && dirname "$program" && return
    done
    return 1
}

# note_lacking_slurm: what it takes to start a Slurm of one's own goes into `lacking`.
note_lacking_slurm() {
    [ -x /usr/sbin/slurmctld ] || has slurmctld || lacking+=(slurmctld)
    [ -x /usr/sbin/slurmd ] || has slurmd || lacking+=(slurmd)
    [ -x /usr/sbin/munged ] || has munged || lacking+=(munge)
    has sbatch || lacking+=(slurm-client)
}

# install_lacking: bring in what is in `lacking`, by apt-get or Homebrew; go on without what is not indispensable.
install_lacking() {
    [ "${#lacking[@]}" -gt 0 ] || return 0
    if has apt-get; then
        install_by_apt
    elif has brew; then
        install_by_brew
    fi
    has_engine || die 69 "astrometry-engine is not on PATH, and neither apt-get nor brew is here to install it." \
        "Install conda-forge's package (conda install -c conda-forge astrometry) and run this again."
    has_working_venv || find_python >/dev/null ||
        die 69 "Python 3.11 or newer was not found: install one, or name it as PYTHON=/path/to/python3 $0"
    has_index_files || warn "no index files were found: docs/howto/index-files.md says where to get some"
}

# as_root COMMAND...: run it as root, by sudo where that takes it.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        quietly "$@"
    else
        has sudo || die 77 "this takes root, and there is no sudo: ask for the packages ${lacking[*]}"
        quietly sudo "$@"
    fi
}

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

install_by_apt() {
    local name wanted=() held=()
    for name in "${lacking[@]}"; do
        is_installed "$name" || wanted+=("$name")
    done
    [ "${#wanted[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -eq 0 ]; then say "Installing ${wanted[*]} by apt-get"; else
        say "Installing ${wanted[*]} by sudo apt-get; it may ask for your password"
    fi
    as_root apt-get -o DPkg::Lock::Timeout=300 update || warn "going on with the package lists that are here"
    hold_services
    # RUNLEVEL keeps packages with init scripts from starting their service where there is no systemd.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${wanted[@]}" ||
        die 69 "apt-get could not install ${wanted[*]}; see above"
    release_services
}

# The services that a package starts, if it is not kept from it.  What needs them here starts them as children.
services_of() {
    case $1 in
        openssh-server) echo ssh.service ssh.socket ;;
        nginx-light) echo nginx.service ;;
        munge | slurmctld | slurmd) echo "$1.service" ;;
    esac
}

# What is being installed must not begin to listen, where there is a systemd to start it.
hold_services() {
    local name
    held=()
    [ -d /run/systemd/system ] || return 0
    for name in "${wanted[@]}"; do
        # shellcheck disable=SC2207 # names without blanks
        held+=($(services_of "$name"))
    done
    [ "${#held[@]}" -gt 0 ] || return 0
    as_root systemctl mask --runtime "${held[@]}" || warn "services may be started by their packages"
}

release_services() {
    [ "${#held[@]}" -gt 0 ] || return 0
    as_root systemctl unmask --runtime "${held[@]}" || true
    as_root systemctl disable "${held[@]}" || true
    say "The system's own ${held[*]} were left disabled"
}

install_by_brew() {
    local name wanted=()
    for name in "${lacking[@]}"; do
        case $name in
            astrometry.net) wanted+=(astrometry-net) ;;
            python3 | python3.11) wanted+=(python@3.13) ;;
            shellcheck | chromium) wanted+=("$name") ;;
        esac
    done
    [ "${#wanted[@]}" -gt 0 ] || return 0
    say "Installing ${wanted[*]} by Homebrew"
    quietly brew install "${wanted[@]}" || die 69 "brew could not install ${wanted[*]}; see above"
}

# --- The virtual environment -----------------------------------------------------------------------------------------

make_venv() {
    local python
    has_working_venv && return
    python=$(find_python) || die 69 "Python 3.11 or newer was not found: install one, or name it in \$PYTHON"
    say "Making .venv with $("$python" --version)"
    quietly "$python" -m venv --clear "$venv" || die 69 "$python could not make $venv; see above"
}

# What an installation depends on: where the project stands, its dependencies, their locked versions, the Python.
fingerprint() {
    {
        echo "$root"
        "$venv/bin/python" -c 'import sys; print(sys.version)'
        cat "$root/pyproject.toml" "$constraints"
    } | cksum
}

# Packages of pure Python that have no wheel: they are built from source.
pure_python=wwt_data_formats

# install_project EXTRAS: the project and the extras named, unless nothing changed since the last time.
install_project() {
    local extras=$1 stamp now
    stamp=$venv/.installed${extras:+-$extras}
    now=$(fingerprint)
    [ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 0
    say "Installing nova into .venv"
    pip_install "$root${extras:+[$extras]}"
    # Where PYTHONDONTWRITEBYTECODE is set, Python would compile an editable install anew at every start.
    "$venv/bin/python" -m compileall -q "$root/src"
    echo "$now" >"$stamp"
    # Whoever has the extras has the rest.
    echo "$now" >"$venv/.installed"
}

# pip_install SPEC: the locked versions, from wheels; where this Python has no wheel of one, what pyproject.toml allows.
pip_install() {
    local log reason
    log=$(mktemp)
    if in_venv_pip --only-binary :all: --no-binary "$pure_python" -c "$constraints" -e "$1" >"$log" 2>&1; then
        rm -f "$log"
        return
    fi
    reason=$(grep -E '\(constraint\)|^ERROR: No matching' "$log" | sed -e 's/^ERROR: //' -e 's/^ *//' | head -n 1 || true)
    rm -f "$log"
    say "The versions in scripts/constraints.txt cannot all be had here (${reason:-pip failed})"
    say "Installing the newest that pyproject.toml allows"
    quietly in_venv_pip --prefer-binary -e "$1" || die 69 "pip could not install the project; see above"
}

in_venv_pip() { "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "$@" </dev/null; }
