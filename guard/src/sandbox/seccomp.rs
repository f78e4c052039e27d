//! System calls that nothing inside needs and that widen the kernel's surface: a classic BPF
//! program, built here and loaded by bwrap. Everything else is allowed; the walls are namespaces.
//!
//! Programs that make user namespaces of their own (some browsers' tests) fail inside; so does
//! `strace`. Unix and internet sockets stay: tests start servers, and there is no network to reach.

use nix::libc;

/// The filter cannot be built for this processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no system call filter exists for this processor: run ai-infra on x86_64 or aarch64")]
pub struct SeccompError;

const LD_W_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// Low half of the first argument on little-endian processors.
const ARGUMENT: u32 = 16;
/// Of the second, and so on.
const SECOND: u32 = 24;
const THIRD: u32 = 32;
const FOURTH: u32 = 40;

const CLONE_NEWUSER: u32 = 0x1000_0000;
const AF_VSOCK: u32 = 40;
/// Set in the types of sockets whose every message may name another receiver (`SOCK_DGRAM`, `SOCK_RAW`), and in none of those that
/// are connected for good (`SOCK_STREAM`, `SOCK_SEQPACKET`).
const NAMES_RECEIVERS: u32 = 2;

#[cfg(target_arch = "x86_64")]
const THIS_ARCH: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const THIS_ARCH: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const THIS_ARCH: Option<u32> = None;

/// Calls denied outright.
const DENIED: [libc::c_long; 27] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_swapon,
    libc::SYS_reboot,
];

struct Program(Vec<u8>);

impl Program {
    fn step(&mut self, code: u16, yes: u8, no: u8, value: u32) {
        self.0.extend(code.to_ne_bytes());
        self.0.extend([yes, no]);
        self.0.extend(value.to_ne_bytes());
    }

    fn answer(&mut self, what: u32) {
        self.step(RET, 0, 0, what);
    }

    /// Answers `what` for one call; falls through otherwise, with the number still loaded.
    fn when(&mut self, call: libc::c_long, what: u32) {
        // Call numbers are small and positive on every processor this builds for.
        self.step(JEQ, 0, 1, call as u32);
        self.answer(what);
    }
}

/// Calls whose first argument says which process gets a signal.
const SIGNALS: [libc::c_long; 4] = [
    libc::SYS_kill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
];
/// Calls that send one to whom these steps cannot see.
const SIGNALS_UNSEEN: [libc::c_long; 2] = [libc::SYS_tkill, libc::SYS_pidfd_send_signal];
/// What has the kernel send signals for a file, or a terminal type for whoever sits at it, to anybody.
const SIGNALS_OF_FILES: [(libc::c_long, u32); 8] = [
    (libc::SYS_fcntl, libc::F_SETOWN as u32),
    (libc::SYS_fcntl, F_SETSIG),
    (libc::SYS_fcntl, F_SETOWN_EX),
    (libc::SYS_ioctl, FIOSETOWN),
    (libc::SYS_ioctl, SIOCSPGRP),
    (libc::SYS_ioctl, libc::TIOCSPGRP as u32),
    (libc::SYS_ioctl, libc::TIOCSTI as u32),
    (libc::SYS_ioctl, TIOCLINUX),
];
// Of Linux, the same on both processors: `asm-generic/{fcntl,sockios}.h`.
const F_SETSIG: u32 = 10;
const F_SETOWN_EX: u32 = 15;
const FIOSETOWN: u32 = 0x8901;
const SIOCSPGRP: u32 = 0x8902;
const TIOCLINUX: u32 = 0x541c;

/// Calls that can connect while they send, which Landlock's rules of ports do not see, and where their flags are.
const SENDS: [(libc::c_long, u32); 3] = [
    (libc::SYS_sendto, FOURTH),
    (libc::SYS_sendmsg, THIRD),
    (libc::SYS_sendmmsg, FOURTH),
];

/// What is denied besides, to whoever needs less than the programs of a sandbox.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fewer<'a> {
    /// Further calls.
    pub calls: &'a [libc::c_long],
    /// Sockets of these families. Where there are any, pairs of sockets are such as reach nobody else.
    pub families: &'a [u32],
    /// The one process that gets signals, its own.
    pub signals: Option<u32>,
    /// Of the internet's sockets those of TCP and UDP alone, and no connection while something is sent: Landlock's rules of ports
    /// see neither the others nor that.
    pub plain_internet: bool,
}

/// The program, as the bytes bwrap reads. Deterministic.
pub fn program(fewer: Fewer<'_>) -> Result<Vec<u8>, SeccompError> {
    let Fewer {
        calls: more,
        families,
        signals,
        plain_internet,
    } = fewer;
    let arch = THIS_ARCH.ok_or(SeccompError)?;
    let deny = ERRNO | libc::EPERM as u32;
    let mut program = Program(Vec::new());
    program.step(LD_W_ABS, 0, 0, ARCH);
    program.step(JEQ, 1, 0, arch);
    program.answer(KILL_PROCESS);
    program.step(LD_W_ABS, 0, 0, NUMBER);
    if cfg!(target_arch = "x86_64") {
        // The x32 numbering of the same calls.
        program.step(JGE, 0, 1, 0x4000_0000);
        program.answer(deny);
    }
    for call in DENIED.iter().chain(more) {
        program.when(*call, deny);
    }
    // Its flags lie in memory and cannot be looked at; libc falls back to clone.
    program.when(libc::SYS_clone3, ERRNO | libc::ENOSYS as u32);
    for call in [libc::SYS_clone, libc::SYS_unshare] {
        program.step(JEQ, 0, 4, call as u32);
        program.step(LD_W_ABS, 0, 0, ARGUMENT);
        program.step(JSET, 0, 1, CLONE_NEWUSER);
        program.answer(deny);
        program.step(LD_W_ABS, 0, 0, NUMBER);
    }
    for family in families.iter().chain(&[AF_VSOCK]) {
        program.step(JEQ, 0, 4, libc::SYS_socket as u32);
        program.step(LD_W_ABS, 0, 0, ARGUMENT);
        program.step(JEQ, 0, 1, *family);
        program.answer(deny);
        program.step(LD_W_ABS, 0, 0, NUMBER);
    }
    if !families.is_empty() {
        program.step(JEQ, 0, 4, libc::SYS_socketpair as u32);
        program.step(LD_W_ABS, 0, 0, SECOND);
        program.step(JSET, 0, 1, NAMES_RECEIVERS);
        program.answer(deny);
        program.step(LD_W_ABS, 0, 0, NUMBER);
    }
    if let Some(own) = signals {
        for call in SIGNALS_UNSEEN {
            program.when(call, deny);
        }
        for call in SIGNALS {
            program.step(JEQ, 0, 4, call as u32);
            program.step(LD_W_ABS, 0, 0, ARGUMENT);
            program.step(JEQ, 1, 0, own);
            program.answer(deny);
            program.step(LD_W_ABS, 0, 0, NUMBER);
        }
        for (call, what) in SIGNALS_OF_FILES {
            program.step(JEQ, 0, 4, call as u32);
            program.step(LD_W_ABS, 0, 0, SECOND);
            program.step(JEQ, 0, 1, what);
            program.answer(deny);
            program.step(LD_W_ABS, 0, 0, NUMBER);
        }
    }
    if plain_internet {
        for family in [libc::AF_INET, libc::AF_INET6] {
            program.step(JEQ, 0, 8, libc::SYS_socket as u32);
            program.step(LD_W_ABS, 0, 0, ARGUMENT);
            program.step(JEQ, 0, 5, family.cast_unsigned());
            program.step(LD_W_ABS, 0, 0, THIRD);
            program.step(JEQ, 3, 0, 0);
            program.step(JEQ, 2, 0, libc::IPPROTO_TCP as u32);
            program.step(JEQ, 1, 0, libc::IPPROTO_UDP as u32);
            program.answer(deny);
            program.step(LD_W_ABS, 0, 0, NUMBER);
        }
        for (call, flags) in SENDS {
            program.step(JEQ, 0, 4, call as u32);
            program.step(LD_W_ABS, 0, 0, flags);
            program.step(JSET, 0, 1, libc::MSG_FASTOPEN.cast_unsigned());
            program.answer(deny);
            program.step(LD_W_ABS, 0, 0, NUMBER);
        }
    }
    // Limits of oneself, not of the executor, which is the same user.
    program.step(JEQ, 0, 4, libc::SYS_prlimit64 as u32);
    program.step(LD_W_ABS, 0, 0, ARGUMENT);
    program.step(JEQ, 1, 0, 0);
    program.answer(deny);
    program.step(LD_W_ABS, 0, 0, NUMBER);
    program.answer(ALLOW);
    Ok(program.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A tiny interpreter of the six instructions used.
    fn run(program: &[u8], arch: u32, number: u32, argument: u32) -> u32 {
        run_with(program, arch, number, [argument, 0, 0, 0])
    }

    fn run_with(program: &[u8], arch: u32, number: u32, arguments: [u32; 4]) -> u32 {
        let steps: Vec<(u16, u8, u8, u32)> = program
            .chunks(8)
            .map(|c| {
                (
                    u16::from_ne_bytes([c[0], c[1]]),
                    c[2],
                    c[3],
                    u32::from_ne_bytes([c[4], c[5], c[6], c[7]]),
                )
            })
            .collect();
        let (mut at, mut loaded) = (0usize, 0u32);
        loop {
            let (code, yes, no, value) = steps[at];
            at += 1;
            let jump = match code {
                LD_W_ABS => {
                    loaded = match value {
                        NUMBER => number,
                        ARCH => arch,
                        SECOND => arguments[1],
                        THIRD => arguments[2],
                        FOURTH => arguments[3],
                        _ => arguments[0],
                    };
                    continue;
                }
                RET => return value,
                JEQ => loaded == value,
                JGE => loaded >= value,
                JSET => loaded & value != 0,
                _ => panic!("unknown code {code}"),
            };
            at += usize::from(if jump { yes } else { no });
        }
    }

    #[test]
    fn calls_are_judged() {
        let program = program(Fewer::default()).unwrap();
        let arch = THIS_ARCH.unwrap();
        let deny = ERRNO | libc::EPERM as u32;
        let call = |number: libc::c_long, argument| run(&program, arch, number as u32, argument);
        assert_eq!(run(&program, 1, 0, 0), KILL_PROCESS);
        assert_eq!(call(libc::SYS_read, 0), ALLOW);
        assert_eq!(call(libc::SYS_execve, 0), ALLOW);
        assert_eq!(call(libc::SYS_clone, 0x11), ALLOW);
        assert_eq!(call(libc::SYS_clone, CLONE_NEWUSER | 0x11), deny);
        assert_eq!(call(libc::SYS_unshare, CLONE_NEWUSER), deny);
        assert_eq!(call(libc::SYS_socket, 2), ALLOW);
        assert_eq!(call(libc::SYS_socket, AF_VSOCK), deny);
        assert_eq!(call(libc::SYS_prlimit64, 0), ALLOW);
        assert_eq!(call(libc::SYS_prlimit64, 1), deny);
        assert_eq!(call(libc::SYS_clone3, 0), ERRNO | libc::ENOSYS as u32);
        for denied in DENIED {
            assert_eq!(call(denied, 0), deny, "{denied}");
        }
        let fewer = super::program(Fewer {
            calls: &[libc::SYS_execve],
            families: &[1],
            signals: Some(77),
            plain_internet: true,
        });
        let fewer = fewer.unwrap();
        let call = |number: libc::c_long, argument| run(&fewer, arch, number as u32, argument);
        assert_eq!(call(libc::SYS_execve, 0), deny);
        for (family, expected) in [(1, deny), (2, ALLOW), (10, ALLOW), (AF_VSOCK, deny)] {
            assert_eq!(call(libc::SYS_socket, family), expected, "{family}");
        }
        for (kind, expected) in [
            (libc::SOCK_STREAM, ALLOW),
            (
                libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                ALLOW,
            ),
            (libc::SOCK_DGRAM, deny),
            (libc::SOCK_RAW | libc::SOCK_CLOEXEC, deny),
        ] {
            let pair = libc::SYS_socketpair as u32;
            let of = |program: &[u8]| run_with(program, arch, pair, [1, kind as u32, 0, 0]);
            assert_eq!(of(&fewer), expected, "{kind}");
            assert_eq!(of(&program), ALLOW, "{kind}");
        }
        assert_eq!(call(libc::SYS_clone, CLONE_NEWUSER), deny);
        assert_eq!(call(libc::SYS_prlimit64, 1), deny);
        let sends = |program: &[u8], number: libc::c_long, [one, two]: [u32; 2]| {
            run_with(program, arch, number as u32, [one, two, 0, 0])
        };
        for number in SIGNALS {
            for (to, expected) in [(77, ALLOW), (78, deny), (0, deny), (u32::MAX, deny)] {
                assert_eq!(sends(&fewer, number, [to, 9]), expected, "{number} to {to}");
                assert_eq!(sends(&program, number, [to, 9]), ALLOW, "{number}");
            }
        }
        for number in SIGNALS_UNSEEN {
            assert_eq!(sends(&fewer, number, [77, 9]), deny, "{number}");
        }
        for (number, what) in SIGNALS_OF_FILES {
            assert_eq!(sends(&fewer, number, [3, what]), deny, "{number} {what}");
            assert_eq!(sends(&program, number, [3, what]), ALLOW, "{number}");
        }
        for (family, protocol, expected) in [
            (libc::AF_INET, 0, ALLOW),
            (libc::AF_INET, libc::IPPROTO_TCP, ALLOW),
            (libc::AF_INET6, libc::IPPROTO_UDP, ALLOW),
            (libc::AF_INET, libc::IPPROTO_MPTCP, deny),
            (libc::AF_INET6, libc::IPPROTO_SCTP, deny),
            (libc::AF_NETLINK, libc::NETLINK_GENERIC, ALLOW),
        ] {
            let asked = [family as u32, libc::SOCK_STREAM as u32, protocol as u32, 0];
            let socket = libc::SYS_socket as u32;
            let said = run_with(&fewer, arch, socket, asked);
            assert_eq!(said, expected, "{family} {protocol}");
            assert_eq!(run_with(&program, arch, socket, asked), ALLOW);
        }
        let fast = libc::MSG_FASTOPEN as u32 | libc::MSG_NOSIGNAL as u32;
        for (number, asked) in [
            (libc::SYS_sendto, [3, 0, 9, fast]),
            (libc::SYS_sendmsg, [3, 0, fast, 0]),
            (libc::SYS_sendmmsg, [3, 0, 1, fast]),
        ] {
            assert_eq!(run_with(&fewer, arch, number as u32, asked), deny);
            let plain = asked.map(|word| word & !(libc::MSG_FASTOPEN as u32));
            assert_eq!(run_with(&fewer, arch, number as u32, plain), ALLOW);
        }
        let flags = libc::F_SETFL as u32;
        assert_eq!(sends(&fewer, libc::SYS_fcntl, [3, flags]), ALLOW);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(run(&program, arch, 0x4000_0001, 0), deny);
        }
    }
}
