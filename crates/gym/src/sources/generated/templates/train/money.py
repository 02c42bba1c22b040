#: f_(int, small) -> int; k_ = 3..4; j_ = 1..2
def f_(price_, count_):
    """Return what count_ pieces cost at price_ each.
    From k_ pieces on, each piece is j_ cheaper, but never below 0."""
    if count_ >= k_:
        price_ = max(price_ - j_, 0)
    return price_ * count_


#: f_(int) -> int; k_ = 4..6; j_ = 10..14; m_ = 1..3
def f_(amount_):
    """Return the fee for amount_: m_ up to k_, twice that up to j_.
    Above j_ the fee is amount_ minus k_."""
    if amount_ <= k_:
        return m_
    if amount_ <= j_:
        return m_ * 2
    return amount_ - k_


#: f_(int, pos) -> ints
def f_(total_, people_):
    """Return the shares of total_ for people_, as equal as whole numbers allow.
    The first ones get what is left over, 1 each."""
    share_ = total_ // people_
    extra_ = total_ % people_
    shares_ = []
    for place_ in range(people_):
        shares_.append(share_ + 1 if place_ < extra_ else share_)
    return shares_


#: f_(int) -> int; k_ = 6..8; j_ = 3..4
def f_(amount_):
    """Return how many coins of k_, j_ and 1 make up amount_.
    Large coins are used first."""
    count_ = amount_ // k_
    rest_ = amount_ % k_
    count_ += rest_ // j_
    return count_ + rest_ % j_


#: f_(int, int) -> int; K_ = 8..15
def f_(paid_, price_):
    """Return paid_ minus price_, at most K_.
    If paid_ is too little, return 0 minus what is missing."""
    if paid_ < price_:
        return paid_ - price_
    return min(paid_ - price_, K_)


#: f_(int, small) -> int; K_ = 2..5
def f_(saved_, weeks_):
    """Return saved_ after weeks_ more weeks with K_ added in each.
    In every third week, one more is added."""
    for week_ in range(1, weeks_ + 1):
        saved_ += K_
        if week_ % 3 == 0:
            saved_ += 1
    return saved_
