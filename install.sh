#!/bin/sh
# Installs devenv. In a checkout, this script builds the checkout; elsewhere (curl … | sh) it
# downloads a release archive and checks the SHA-256 of the archive. All work happens in main, which
# the last line calls, so that an incomplete download runs nothing.
set -eu

# The project. A release has VERSION, devenv-<version>-<target>.tar.gz and the same name with
# .sha256.
PROJECT=https://github.com/devenv-rs/devenv

usage() {
  cat <<HELP
usage: install.sh [--to DIR] [--version VERSION | --demo | --tools]

In a checkout: builds the release binary and puts it on PATH. Elsewhere: fetches a release.

  --to DIR           the folder for devenv (default: /usr/local/bin for root, else ~/.local/bin)
  --version VERSION  this release instead of the newest release
  --demo             in a checkout, on Debian: also installs missing packages (and names them), provides
                     the images, and runs \`devenv up\` on tests/example
  --tools            on Debian: only installs missing tools for the build and the tests (and names them):
                     Rust, a C compiler, a container engine
  --help             this text

  DEVENV_RELEASES    base URL of the releases (default: $PROJECT/releases)
HELP
}

say() { printf '%s\n' "$*" >&2; }
fail() { # PROBLEM [HELP]
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'help: %s\n' "$2" >&2
  exit 1
}
usage_error() { # PROBLEM
  printf 'error: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# --- from a checkout
# -------------------------------------------------------------------------------

build() {
  have cargo || fail 'Rust is not installed, and building devenv needs Rust' \
    'install it from https://rustup.rs and run this again; on Debian, --demo does it for you'
  say "building devenv in $checkout (a few minutes the first time)"
  # From inside, so that the checkout's rust-toolchain.toml counts.
  (cd "$checkout" && cargo build --release --locked --bin devenv) || fail 'the build failed (see the reason above)'
  binary=${CARGO_TARGET_DIR:-$checkout/target}/release/devenv
}

# --- from a release
# --------------------------------------------------------------------------------

target() {
  system=$(uname -s) machine=$(uname -m)
  case $machine in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
  esac
  case $machine-$system in
    x86_64-Linux | aarch64-Linux) echo "$machine-unknown-linux-musl" ;;
    x86_64-Darwin | aarch64-Darwin) echo "$machine-apple-darwin" ;;
    *) fail "there is no release for $system on $machine" "build it from a checkout: git clone $PROJECT, then ./install.sh there" ;;
  esac
}

fetch() { # URL FILE
  if have curl; then
    curl --fail --silent --show-error --location --retry 2 --output "$2" "$1"
  elif have wget; then
    wget --quiet --output-document="$2" "$1"
  else
    fail 'neither curl nor wget is installed, and a download needs one of them'
  fi || fail "could not download $1" 'check that this machine can open that address; DEVENV_RELEASES sets another address'
}

sha256() {
  if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

download() {
  have sha256sum || have shasum || fail 'neither sha256sum nor shasum is installed, and install.sh installs no release without a check'
  target=$(target)
  if [ -n "${DEVENV_RELEASES:-}" ]; then
    releases=${DEVENV_RELEASES%/}
  elif [ -n "$version" ]; then
    releases=$PROJECT/releases/download/v$version
  else
    releases=$PROJECT/releases/latest/download
  fi
  if [ -z "$version" ]; then
    fetch "$releases/VERSION" "$scratch/VERSION"
    version=$(tr -d '[:space:]' <"$scratch/VERSION")
    case $version in
      '' | *[!0-9A-Za-z.+-]*) fail "$releases/VERSION holds no version" 'DEVENV_RELEASES should name the folder that the archives are in' ;;
    esac
  fi
  name=devenv-$version-$target
  say "downloading devenv $version for $target"
  fetch "$releases/$name.tar.gz" "$scratch/$name.tar.gz"
  fetch "$releases/$name.tar.gz.sha256" "$scratch/expected"
  expected=$(cut -d ' ' -f 1 <"$scratch/expected")
  actual=$(sha256 "$scratch/$name.tar.gz")
  [ "$expected" = "$actual" ] || fail "$name.tar.gz differs from the released archive: its SHA-256 is $actual and should be ${expected:-given}" \
    'nothing was installed; try again, and report the problem to the project if it persists'
  tar -xzf "$scratch/$name.tar.gz" -C "$scratch" || fail "$name.tar.gz cannot be unpacked"
  binary=$scratch/$name/devenv
  [ -f "$binary" ] || fail "$name.tar.gz does not contain $name/devenv"
}

# --- onto PATH
# -------------------------------------------------------------------------------------

put() {
  { mkdir -p "$to" 2>/dev/null && [ -w "$to" ]; } || fail "$to cannot be written" 'choose another folder: --to DIR'
  # Copy to a temporary name, then rename: this does not disturb a running devenv, and the file is
  # always complete.
  if ! { cp "$binary" "$to/.devenv.$$" && chmod 755 "$to/.devenv.$$" && mv -f "$to/.devenv.$$" "$to/devenv"; }; then
    rm -f "$to/.devenv.$$"
    fail "could not put devenv into $to"
  fi
  installed=$("$to/devenv" --version) || fail "$to/devenv does not run on this machine"
  say "installed $installed as $to/devenv"
  # man searches next to each folder on PATH. Older releases have no manual.
  case $to in
    */bin)
      manual=${to%/bin}/share/man/man1
      if "$to/devenv" man --to "$manual" >/dev/null 2>&1; then say "its manual is in $manual (man devenv)"; fi ;;
  esac
  case :$PATH: in
    *:"$to":*) ;;
    *) say "to have it on PATH, add this line to your shell's profile:  export PATH=\"$to:\$PATH\"" ;;
  esac
  found=$(command -v devenv || true)
  [ -z "$found" ] || [ "$found" = "$to/devenv" ] || say "note: another devenv comes first on PATH: $found"
}

# --- the demo
# --------------------------------------------------------------------------------------

in_debian() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

apt_install() {
  say "installing from Debian: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    fail "apt-get could not install $*" 'see its output above'
}

provide_rust() {
  # shellcheck source=/dev/null  # rustup's own file, if there is one
  have cargo || [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
  if ! have cargo; then
    { is_root && have apt-get; } || fail 'Rust is not installed' 'install it from https://rustup.rs and run this again'
    apt-get update -qq
    if in_debian rustup; then
      apt_install rustup
    else
      have curl || apt_install curl ca-certificates
      say 'installing Rust with its own installer, rustup, into ~/.cargo and ~/.rustup'
      { curl --proto '=https' --fail --silent --show-error --output "$scratch/rustup" https://sh.rustup.rs &&
        sh "$scratch/rustup" -y --quiet --profile minimal --default-toolchain none --no-modify-path; } ||
        fail 'rustup could not be installed' 'install Rust from https://rustup.rs and run this again'
      # shellcheck source=/dev/null
      . "$HOME/.cargo/env"
    fi
  fi
  have cc || { is_root && have apt-get; } || fail 'no C compiler is installed, and building devenv needs one' 'install gcc and run this again'
  have cc || apt_install gcc libc6-dev
}

provide_engine() {
  if ! have docker; then
    { is_root && have apt-get; } || fail 'no container engine is installed' 'install Docker Engine, or run this as root on Debian'
    apt-get update -qq
    # From trixie on, the client is a separate package.
    if in_debian docker-cli; then apt_install docker.io docker-cli; else apt_install docker.io; fi
  fi
  docker info >/dev/null 2>&1 && return
  is_root || fail 'the container engine does not answer' 'docker info shows the reason; a user needs to be in the group docker'
  say 'starting the container engine'
  if [ -d /run/systemd/system ]; then systemctl start docker; else service docker start; fi >/dev/null 2>&1 || true
  tries=0
  until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || fail 'the container engine does not start' 'run dockerd by hand to see the reason'
    sleep 1
  done
}

demo() {
  "$checkout/tests/images/build" --pull --demo || fail 'the images for the demo could not be provided (see the reason above)'
  say ''
  say "\$ cd tests/example && devenv up"
  (cd "$checkout/tests/example" && "$to/devenv" up)
  say ''
  say "\$ cat .env"
  cat "$checkout/tests/example/.env"
  cat >&2 <<NEXT

The shop's services are running, as its production declares them. Next commands to try, in tests/example:
  devenv status                the running services and their addresses
  devenv shell db              psql, logged in
  devenv run -- env            a command with production's variables set
  devenv up                    again: nothing to do
  devenv down --volumes        removes everything, including the data
NEXT
}

main() {
  to='' version='' demo=false tools=false checkout=''
  while [ $# -gt 0 ]; do
    case $1 in
      --to | --version)
        case ${2:-} in
          '') usage_error "$1 needs a value" ;;
          -*) usage_error "$1 needs a value, and $2 is an option" ;;
        esac ;;
    esac
    case $1 in
      --to) to=$2; shift ;;
      --version) version=${2#v}; shift ;;
      --demo) demo=true ;;
      --tools) tools=true ;;
      -h | --help) usage; exit 0 ;;
      *) usage_error "install.sh does not know $1" ;;
    esac
    shift
  done
  case $version in
    '' | [0-9]*) ;;
    *) usage_error "--version needs a release such as 1.2.3, and $version is not a release" ;;
  esac
  if $demo && [ -n "$version" ]; then usage_error '--demo builds the checkout and does not accept --version'; fi
  if $tools && { $demo || [ -n "$to$version" ]; }; then usage_error '--tools installs nothing else and does not accept other options'; fi
  if [ -z "$to" ]; then
    if is_root; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
  fi
  # The demo runs devenv from another folder.
  case $to in /*) ;; *) to=$PWD/$to ;; esac

  # If the script is piped into a shell, $0 is the shell.
  case $0 in
    *install.sh)
      here=$(cd "$(dirname "$0")" && pwd)
      if grep -qs '^name = "devenv"$' "$here/Cargo.toml"; then checkout=$here; fi ;;
  esac
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if $tools; then
    provide_rust
    provide_engine
    return
  fi
  if $demo; then
    [ -n "$checkout" ] || fail 'the demo needs the example project' "git clone $PROJECT, then ./install.sh --demo there"
    provide_rust
    provide_engine
  fi

  if [ -n "$checkout" ] && [ -z "$version" ]; then build; else download; fi
  put
  if $demo; then demo; fi
}

main "$@"
