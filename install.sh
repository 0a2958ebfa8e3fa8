#!/bin/sh
# Installs devenv. In a checkout it builds what lies beside it; elsewhere (curl … | sh) it fetches a
# release archive and checks its SHA-256. Everything happens in main, called on the last line, so that
# a download cut short runs nothing.
set -eu

# Where releases lie: VERSION, devenv-<version>-<target>.tar.gz and the same with .sha256.
PROJECT=https://github.com/devenv-rs/devenv

usage() {
  cat <<HELP
usage: install.sh [--to DIR] [--version VERSION | --demo | --tools]

In a checkout: builds the release binary and puts it on PATH. Elsewhere: fetches a release.

  --to DIR           where to put it (default: /usr/local/bin for root, else ~/.local/bin)
  --version VERSION  this release instead of the newest
  --demo             in a checkout, on Debian: also installs what is missing (and says so), provides
                     the images, and runs \`devenv up\` on tests/example
  --tools            on Debian: only installs what building and the tests take and is missing (and says
                     so): Rust, a C compiler, a container engine
  --help             this text

  DEVENV_RELEASES    base URL of the releases (default: $PROJECT/releases)
HELP
}

say() { printf '%s\n' "$*" >&2; }
fail() { # what went wrong, and what to do about it
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'help: %s\n' "$2" >&2
  exit 1
}
usage_error() { # what is wrong with the command line
  printf 'error: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# --- from a checkout -------------------------------------------------------------------------------

build() {
  have cargo || fail 'Rust is not installed, and building devenv takes it' \
    'install it from https://rustup.rs and run this again; on Debian, --demo does it for you'
  say "building devenv in $checkout (a few minutes the first time)"
  # From inside, so that the checkout's rust-toolchain.toml counts.
  (cd "$checkout" && cargo build --release --locked --bin devenv) || fail 'the build failed (above: why)'
  binary=${CARGO_TARGET_DIR:-$checkout/target}/release/devenv
}

# --- from a release --------------------------------------------------------------------------------

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
    fail 'neither curl nor wget is installed, and fetching a release takes one of them'
  fi || fail "could not download $1" 'see whether that address opens from here; DEVENV_RELEASES names another place'
}

sha256() {
  if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

download() {
  have sha256sum || have shasum || fail 'neither sha256sum nor shasum is installed, and a release is not installed unchecked'
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
  say "fetching devenv $version for $target"
  fetch "$releases/$name.tar.gz" "$scratch/$name.tar.gz"
  fetch "$releases/$name.tar.gz.sha256" "$scratch/expected"
  expected=$(cut -d ' ' -f 1 <"$scratch/expected")
  actual=$(sha256 "$scratch/$name.tar.gz")
  [ "$expected" = "$actual" ] || fail "$name.tar.gz is not what was released: its SHA-256 is $actual and should be ${expected:-given}" \
    'nothing was installed; try again, and if it stays so tell the project'
  tar -xzf "$scratch/$name.tar.gz" -C "$scratch" || fail "$name.tar.gz cannot be unpacked"
  binary=$scratch/$name/devenv
  [ -f "$binary" ] || fail "$name.tar.gz holds no $name/devenv"
}

# --- onto PATH -------------------------------------------------------------------------------------

put() {
  { mkdir -p "$to" 2>/dev/null && [ -w "$to" ]; } || fail "$to cannot be written" 'choose another folder: --to DIR'
  # Beside first, then renamed: a devenv that runs is not disturbed, and there is never half a file.
  if ! { cp "$binary" "$to/.devenv.$$" && chmod 755 "$to/.devenv.$$" && mv -f "$to/.devenv.$$" "$to/devenv"; }; then
    rm -f "$to/.devenv.$$"
    fail "could not put devenv into $to"
  fi
  installed=$("$to/devenv" --version) || fail "$to/devenv does not run on this machine"
  say "installed $installed as $to/devenv"
  # man looks beside each folder on PATH. A release from before the manual has none.
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

# --- the demo --------------------------------------------------------------------------------------

in_debian() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

apt_install() {
  say "installing from Debian: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    fail "apt-get could not install $*" 'see what it says above'
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
  have cc || { is_root && have apt-get; } || fail 'no C compiler, and building devenv takes one' 'install gcc and run this again'
  have cc || apt_install gcc libc6-dev
}

provide_engine() {
  if ! have docker; then
    { is_root && have apt-get; } || fail 'no container engine is installed' 'install Docker Engine, or run this as root on Debian'
    apt-get update -qq
    # From trixie on the client is a package of its own.
    if in_debian docker-cli; then apt_install docker.io docker-cli; else apt_install docker.io; fi
  fi
  docker info >/dev/null 2>&1 && return
  is_root || fail 'the container engine does not answer' 'docker info says why; a user needs to be in the group docker'
  say 'starting the container engine'
  if [ -d /run/systemd/system ]; then systemctl start docker; else service docker start; fi >/dev/null 2>&1 || true
  tries=0
  until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || fail 'the container engine does not start' 'dockerd, run by hand, says why'
    sleep 1
  done
}

demo() {
  "$checkout/tests/images/build" --pull --demo || fail 'the images for the demo could not be provided (above: why)'
  say ''
  say "\$ cd tests/example && devenv up"
  (cd "$checkout/tests/example" && "$to/devenv" up)
  say ''
  say "\$ cat .env"
  cat "$checkout/tests/example/.env"
  cat >&2 <<NEXT

The shop's services are running, as its production declares them. What to try next, in tests/example:
  devenv status                what runs, and where
  devenv shell db              psql, logged in
  devenv run -- env            a command with production's variables set
  devenv up                    again: nothing to do
  devenv down --volumes        takes it all away, data included
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
    *) usage_error "--version needs a release such as 1.2.3, and $version is none" ;;
  esac
  if $demo && [ -n "$version" ]; then usage_error '--demo builds the checkout, and takes no --version'; fi
  if $tools && { $demo || [ -n "$to$version" ]; }; then usage_error '--tools installs nothing else, and takes no other option'; fi
  if [ -z "$to" ]; then
    if is_root; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
  fi
  # The demo runs it from another folder.
  case $to in /*) ;; *) to=$PWD/$to ;; esac

  # Piped into a shell, $0 is the shell.
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
