"""Learning what an owner prefers, from choices between replies.

- `logit` the model of a choice: a softmax over the scores of its replies
- `features` what the policy, frozen, makes of a reply; `heads` small heads on that
- `network` the other form: a small transformer of its own
- `measure` how well scores predict choices that were not seen (whether that is enough, `mrclassic.evidence` says)
- `keeping` a learned taste as a folder

`training/reward_model.py` puts them together.
"""
