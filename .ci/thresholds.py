"""Reads the result of score_bounces.py --json and holds it to what was promised."""
import json
import sys

# Right answers in percent; what a set does not measure is left out.
LEAST = {
    "is-bounce": 99.5, "not-bounce": 99.5, "address": 99.0, "cause": 97.0,
    "permanent": 98.5, "status": 98.5, "reply": 98.5, "dnsbl": 100.0, "dnsbl-ip": 100.0,
}
scores = json.load(sys.stdin)["all"]
bad = False
for measure, least in LEAST.items():
    right, counted = scores.get(measure, (0, 0))
    if counted:
        share = 100 * right / counted
        fails = share < least
        bad |= fails
        print(f"{measure:11} {right}/{counted}  {share:.1f} %{'  BELOW ' + str(least) if fails else ''}")
for measure in ("dnsbl-false", "crash"):
    wrong = scores.get(measure, (0, 0))[0]
    bad |= wrong > 0
    if wrong:
        print(f"{measure:11} {wrong}  MUST BE 0")
sys.exit(bad)
