#!/usr/bin/env python3
"""mailtrace beside other programs, in one run on one machine: what docs/performance.md shows.

  peers.py MAILTRACE [--shared DIR] [--rounds N]

Peers that are not installed are left out, and said so. Debian: python3-flufl.bounce spamassassin
monitoring-plugins-contrib swaks postfix rbldnsd unbound. Everything stays on loopback. Each pair is
measured in turns, so that both see the same machine; the best of N rounds counts.
"""
import argparse, glob, json, os, re, shutil, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("program")
ap.add_argument("--shared", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../shared"))
ap.add_argument("--rounds", type=int, default=7)
a = ap.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp(prefix="peers.")
os.chmod(work, 0o755)  # Postfix runs under other names.
data = os.path.join(here, "../testdata")


def clock(command, stdin=None, ok=range(256)):
    started = time.perf_counter()
    done = subprocess.run(command, stdin=open(stdin, "rb") if stdin else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - started
    if done.returncode not in ok:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return took, done.stdout


def best(commands):
    """The best time of each command, taken in turns."""
    times = {name: [] for name in commands}
    for _ in range(a.rounds):
        for name, (command, stdin) in commands.items():
            times[name].append(clock(command, stdin)[0])
    return {name: min(all_) for name, all_ in times.items()}


def row(what, ours, peer, theirs, unit="ms"):
    scale = 1000 if unit == "ms" else 1
    print(f"| {what} | {ours * scale:.4g} {unit} | {peer}: {theirs * scale:.4g} {unit} | {theirs / ours:.3g} |")


def left_out(peer, why):
    print(f"{peer}: left out, {why}", file=sys.stderr)


print("| What | mailtrace | peer | peer / mailtrace |\n|---|---|---|---|")

# One bounce, start to exit.
bounce = os.path.join(data, "seed/seed-user-unknown.eml")
times = best({"ours": ([a.program, "explain", bounce], None), "true": (["/bin/true"], None)})
row("one bounce explained, start to exit", times["ours"], "/bin/true", times["true"])

# Many bounces: flufl.bounce finds the addresses that fail, which is a part of what explain does.
FLUFL = """
import email, glob, json, sys, time
from flufl.bounce import all_failures
files = sorted(glob.glob(sys.argv[1] + '/*.eml')); started = time.perf_counter(); found = {}
for _ in range(int(sys.argv[2])):
    for path in files:
        temporary, permanent = all_failures(email.message_from_binary_file(open(path, 'rb')))
        found[path.rsplit('/', 1)[1]] = sorted(x.decode() for x in temporary | permanent)
print(json.dumps([time.perf_counter() - started, found]))
"""
python = next((p for p in ("/usr/bin/python3", sys.executable)
               if subprocess.run([p, "-c", "import flufl.bounce"], stderr=subprocess.DEVNULL).returncode == 0), None)
realmta = os.path.join(data, "realmta")
files = sorted(glob.glob(realmta + "/*.eml"))
labels = {}
for line in open(os.path.join(realmta, "labels.jsonl"), encoding="utf-8"):
    one = json.loads(line)
    wanted = {r["address"].lower() for r in one.get("recipients", []) if r.get("address")}
    if wanted:
        labels[one["file"]] = wanted
if python:
    copies = 100
    box = os.path.join(work, "box")
    with open(box, "wb") as out:
        for _ in range(copies):
            for path in files:
                out.write(b"From x Sat Jan  1 00:00:00 2026\n")
                out.write(re.sub(rb"(?m)^(>*From )", rb">\1", open(path, "rb").read()) + b"\n")
    ours = min(clock([a.program, "explain", "--json", "--no-progress", "-j", "1", box])[0] for _ in range(3)) / copies
    _, out = clock([python, "-c", FLUFL, realmta, "1"])
    theirs, found = json.loads(out)
    row(f"{len(files)} bounces of real servers, one core", ours, "flufl.bounce", theirs)
    mine = {}
    _, out = clock([a.program, "explain", "--json", "--no-progress", *files])
    for line in out.splitlines():
        one = json.loads(line)
        name = os.path.basename(one["source"]["path"])
        mine.setdefault(name, set()).update(r["address"].lower() for r in one["recipients"] if r["address"])
    def right(result):
        return sum(set(x.lower() for x in result.get(name, ())) == want for name, want in labels.items())
    print(f"| of them with exactly the right addresses | {right(mine)} of {len(labels)} "
          f"| flufl.bounce: {right(found)} of {len(labels)} | |")
else:
    left_out("flufl.bounce", "python3-flufl.bounce is not installed")

# The way of a message: SpamAssassin's reader of Received fields.
SA = """
use Mail::SpamAssassin; use Time::HiRes 'time';
my $sa = Mail::SpamAssassin->new({local_tests_only => 1, dont_copy_prefs => 1, rules_filename => '/dev/null', site_rules_filename => '/dev/null', config_text => ''});
$sa->init(1);
my @texts = map { local (@ARGV, $/) = ($_); <> } @ARGV; my $t = time; my $hops = 0;
for (@texts) { my $m = $sa->parse($_, 1); my $p = Mail::SpamAssassin::PerMsgStatus->new($sa, $m); $p->extract_message_metadata(); $hops += @{$p->{relays_trusted}} + @{$p->{relays_untrusted}}; $p->finish; $m->finish }
printf "%.6f %d", time - $t, $hops;
"""
chains = sorted(glob.glob(os.path.join(data, "route/*.eml")))
if shutil.which("spamassassin") and chains:
    copies = 200
    _, out = clock(["perl", "-e", SA, *chains])
    theirs, hops = out.decode().split()
    ours, _ = min(clock([a.program, "route", "--json", "--no-progress", "-j", "1", *chains * copies]) for _ in range(3))
    row(f"{len(chains)} messages, their Received fields", ours / copies, "SpamAssassin", float(theirs))
else:
    left_out("SpamAssassin", "not installed")

# One address on the default lists, and one server asked about one recipient.
bed = os.path.join(a.shared, "testbed")
if os.path.isdir(bed) and shutil.which("rbldnsd") and shutil.which("unbound"):
    state = os.path.join(work, "dnsbl")
    subprocess.run([bed + "/dnsbl/up", "21600", state], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    delay = subprocess.Popen([bed + "/dnsbl/delay", "21650", "21600", "30"])
    try:
        time.sleep(0.5)
        peer = next((p for p in ("/usr/lib/nagios/plugins/check_rbl",) if os.path.exists(p)), None)
        ours = best({"ours": ([a.program, "dnsbl", "--resolver", "127.0.0.1:21650", "11.22.33.1"], None)})["ours"]
        zones = ["zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com", "dnsbl-1.uceprotect.net",
                 "dnsbl.dronebl.org", "bl.mailspike.net", "ubl.unsubscore.com", "all.s5h.net", "truncate.gbudb.net"]
        print(f"| one address, default set of lists, 30 ms away | {ours * 1000:.4g} ms | (the round trip itself: 30 ms) | |")
        if peer:
            # The namespace takes seconds to make, so the clock stands inside.
            inner = """
import json, subprocess, sys, time
for command in json.loads(sys.argv[1]):
    best = 9e9
    for _ in range(int(sys.argv[2])):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - started)
    print(best)
"""
            pair = [[a.program, "dnsbl", "11.22.33.1", *[x for z in zones for x in ("--zone", z)]],
                    [peer, "-H", "11.22.33.1", *[x for z in zones for x in ("-s", z)]]]
            _, out = clock([bed + "/dnsbl/in-namespace", state + "-alone", sys.executable, "-c", inner, json.dumps(pair), str(a.rounds)])
            mine, took = map(float, out.split())
            row("ten lists, no delay", mine, "check_rbl", took)
        else:
            left_out("check_rbl", "monitoring-plugins-contrib is not installed")
    finally:
        delay.kill()
        subprocess.run([bed + "/dnsbl/down", state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
else:
    left_out("the lists", "no ../shared/testbed, rbldnsd or unbound")

debs = os.environ.get("TB_DEBS")
if os.path.isdir(bed) and debs:
    base, state = 21700, os.path.join(work, "smtp")
    subprocess.run([bed + "/smtp/up", str(base), state], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = None
    try:
        dns = f"127.213.{base // 256}.{base % 256}:53"
        check = [a.program, "check", "bob@example.test", "--server", f"127.0.0.1:{base}", "--resolver", dns,
                 "--no-policy", "--helo", "probe.example.test"]
        swaks = ["swaks", "--server", f"127.0.0.1:{base}", "--to", "bob@example.test", "--from", "p@probe.example.test",
                 "--helo", "probe.example.test", "--quit-after", "RCPT"]
        if shutil.which("swaks"):
            times = best({"ours": (check + ["--tls", "none"], None), "swaks": (swaks, None),
                          "ours tls": (check, None), "swaks tls": (swaks + ["--tls"], None)})
            row("one recipient asked, Postfix, no TLS", times["ours"], "swaks", times["swaks"])
            row("the same with STARTTLS and its judgement", times["ours tls"], "swaks", times["swaks tls"])
        else:
            left_out("swaks", "not installed")
        if shutil.which("smtp-source"):
            spool, boxes = os.path.join(work, "spool"), os.path.join(work, "md")
            server = subprocess.Popen([a.program, "serve", "--listen", f"127.0.0.1:{base + 90}", "--spool", spool, "--maildir", boxes,
                                       "--domain", "d.test", "--mailbox", "bob", "--quiet"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            def pour(port, to, box, count=2000):
                here = lambda: len(os.listdir(box + "/new")) if os.path.isdir(box + "/new") else 0
                before, started = here(), time.perf_counter()
                subprocess.run(["smtp-source", "-d", "-s", "10", "-m", str(count), "-l", "1000", "-f", "sender@origin.test",
                                "-t", to, f"127.0.0.1:{port}"], check=True)
                taken = time.perf_counter() - started
                while here() - before < count and time.perf_counter() - started < 120:
                    time.sleep(0.01)
                return taken / count, (time.perf_counter() - started) / count
            mine, theirs = [], []
            for _ in range(3):
                theirs.append(pour(base, "sender@origin.test", state + "/maildir/origin.test/sender"))
                mine.append(pour(base + 90, "bob@d.test", boxes + "/bob"))
            row("a message of 1 kB taken (10 sessions)", min(m[0] for m in mine), "Postfix", min(t[0] for t in theirs))
            row("the same, delivered into a Maildir", min(m[1] for m in mine), "Postfix", min(t[1] for t in theirs))
        else:
            left_out("Postfix", "smtp-source is not installed")
    finally:
        if server:
            server.terminate()
        subprocess.run([bed + "/smtp/down", state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
else:
    left_out("swaks and Postfix", "no ../shared/testbed, or TB_DEBS is not set")
shutil.rmtree(work, ignore_errors=True)
