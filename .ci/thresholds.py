"""Reads the result of score_bounces.py --json and holds it to what has been reached so far.

usage: thresholds.py SET < result. These are ratchets: raise a figure when a change raises it, never
lower one. What the project aims at is 99.5 / 99.5 / 99 / 97 / 98.5 / 98.5 / 98.5 / 100 / 100.
"""
import json
import sys

MEASURES = ("is-bounce", "not-bounce", "address", "cause", "permanent", "status", "reply", "dnsbl", "dnsbl-ip")
# Right answers in percent, in the order of MEASURES; what a set does not measure is left out.
LEAST = {
    "seed": (100, 100, 100, 100, 100, 100, 100, 100, 100),
    "realmta": (100, 100, 100, 97.2, 100, 99.3, 100, 100, 100),
    "forwarded": (100, 100, 100, 100, 100, 95.1, 98.4, 100, 100),
    "bounces/dev": (100, 100, 99.6, 99.0, 99.6, 100, 98.6, 100, 100),
}
scores = json.load(sys.stdin)["all"]
bad = False
for measure, least in zip(MEASURES, LEAST[sys.argv[1]]):
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
