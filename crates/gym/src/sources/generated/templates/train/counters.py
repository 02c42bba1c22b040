#: f_(ints, int) -> int; k_ = 1..2
class Counter_:
    def __init__(self, limit_):
        self.limit_ = limit_
        self.count_ = 0

    def add_(self, amount_):
        self.count_ += amount_
        if self.count_ > self.limit_:
            self.count_ = k_


def f_(amounts_, limit_):
    """Return the count after adding each of amounts_ to a count of 0.
    A count above limit_ starts again at k_."""
    counter_ = Counter_(limit_)
    for amount_ in amounts_:
        counter_.add_(amount_)
    return counter_.count_


#: f_(ints, small) -> ints
class Stack_:
    def __init__(self, size_):
        self.size_ = size_
        self.items_ = []

    def push_(self, item_):
        if len(self.items_) >= self.size_:
            self.items_.pop(0)
        self.items_.append(item_)


def f_(items_, size_):
    """Return what a store of size_ places holds after taking items_ in turn.
    A full store first gives up its oldest item. A size_ of 0 acts like 1."""
    stack_ = Stack_(max(size_, 1))
    for item_ in items_:
        stack_.push_(item_)
    return stack_.items_


#: f_(int, signeds) -> int; k_ = 1..3
class Account_:
    def __init__(self, amount_):
        self.amount_ = amount_

    def change_(self, value_):
        if self.amount_ + value_ < 0:
            self.amount_ -= k_
        else:
            self.amount_ += value_


def f_(amount_, changes_):
    """Return amount_ after all of changes_, in order.
    A change that would lead below 0 costs k_ instead."""
    account_ = Account_(amount_)
    for value_ in changes_:
        account_.change_(value_)
    return account_.amount_


#: f_(ints) -> int; k_ = 2..4
class Peak_:
    def __init__(self):
        self.best_ = 0
        self.times_ = 0

    def see_(self, value_):
        if value_ > self.best_:
            self.best_ = value_
            self.times_ = 1
        elif value_ == self.best_:
            self.times_ += 1


def f_(values_):
    """Return the largest of values_ plus k_ times how often it occurs.
    An empty list gives 0."""
    peak_ = Peak_()
    for value_ in values_:
        peak_.see_(value_)
    return peak_.best_ + peak_.times_ * k_
