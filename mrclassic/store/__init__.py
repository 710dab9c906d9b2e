"""The store: SQLite behind one door. Nothing else in the program opens the database."""

from mrclassic.store.candidates import Candidate, NewCandidate
from mrclassic.store.checkpoints import Checkpoint
from mrclassic.store.connection import DamagedStoreError, StoreError
from mrclassic.store.conversations import Conversation, Hit, Message
from mrclassic.store.ledgers import Request, Tombstone
from mrclassic.store.nights import Night
from mrclassic.store.picks import Pick
from mrclassic.store.preferences import Preference, Rated
from mrclassic.store.queues import Question
from mrclassic.store.ratings import Rating
from mrclassic.store.recalls import Recall
from mrclassic.store.runs import Alarm, Run, Sample
from mrclassic.store.store import Store
from mrclassic.store.trust import Trusted
from mrclassic.store.votes import Tally, Vote

__all__ = [
    "Alarm",
    "Candidate",
    "Checkpoint",
    "Conversation",
    "DamagedStoreError",
    "Hit",
    "Message",
    "NewCandidate",
    "Night",
    "Pick",
    "Preference",
    "Question",
    "Rated",
    "Rating",
    "Recall",
    "Request",
    "Run",
    "Sample",
    "Store",
    "StoreError",
    "Tally",
    "Tombstone",
    "Trusted",
    "Vote",
]
