#: f_(ints, pos) -> int; k_ = 1..2
class Queue_:
    def __init__(self, places_):
        self.places_ = places_
        self.lost_ = 0
        self.length_ = 0

    def join_(self, people_):
        self.length_ += people_
        if self.length_ > self.places_:
            self.lost_ += self.length_ - self.places_
            self.length_ = self.places_

    def serve_(self):
        self.length_ = max(self.length_ - k_, 0)


def f_(groups_, places_):
    """Return how many people find no place in a line of places_.
    The groups_ come in turn; after each one, k_ people leave the line."""
    queue_ = Queue_(places_)
    for people_ in groups_:
        queue_.join_(people_)
        queue_.serve_()
    return queue_.lost_


#: f_(signeds) -> int; k_ = 3..5
class Lamp_:
    def __init__(self):
        self.level_ = 0

    def turn_(self, amount_):
        if amount_ == 0:
            self.level_ = k_
        else:
            self.level_ = max(self.level_ + amount_, 0)


def f_(turns_):
    """Return the level of a lamp that starts at 0, after all of turns_.
    It never falls below 0, and a turn of 0 sets it to k_."""
    lamp_ = Lamp_()
    for amount_ in turns_:
        lamp_.turn_(amount_)
    return lamp_.level_
