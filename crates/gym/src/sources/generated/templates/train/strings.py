#: f_(text) -> text; k_ = 3..5; c_ = '.'|'-'|'+'
def f_(text_):
    """Return text_ cut after k_ letters, with a c_ added.
    A text_ of k_ letters or fewer stays as it is."""
    if len(text_) <= k_:
        return text_
    return text_[:k_] + c_


#: f_(text, letter) -> int; k_ = 2..4
def f_(text_, letter_):
    """Return how often letter_ stands in text_.
    At the start of text_ it counts k_ times."""
    count_ = 0
    for place_, found_ in enumerate(text_):
        if found_ == letter_:
            count_ += k_ if place_ == 0 else 1
    return count_


#: f_(mirror) -> bool; k_ = 2..5
def f_(text_):
    """Tell whether text_ reads the same from both ends.
    It must have at least k_ letters."""
    if len(text_) < k_:
        return False
    return text_ == text_[::-1]


#: f_(line) -> text; c_ = '-'|'.'|'+'
def f_(line_):
    """Return the first letters of the words of line_, joined by c_.
    Words of one letter are left out."""
    firsts_ = []
    for word_ in line_.split():
        if len(word_) > 1:
            firsts_.append(word_[0])
    return c_.join(firsts_)


#: f_(text) -> text; c_ = '#'|'*'|'+'; k_ = 1..2
def f_(text_):
    """Return text_ with all letters but the last k_ replaced by c_.
    A shorter text_ stays as it is."""
    hidden_ = len(text_) - k_
    if hidden_ <= 0:
        return text_
    return c_ * hidden_ + text_[hidden_:]


#: f_(line) -> int; k_ = 2..3
def f_(line_):
    """Return the length of the longest word of line_, or 0 without words.
    A word of more than k_ letters counts one more."""
    best_ = 0
    for word_ in line_.split():
        size_ = len(word_)
        if size_ > k_:
            size_ += 1
        best_ = max(best_, size_)
    return best_


#: f_(text) -> text
def f_(text_):
    """Return text_ with runs of equal letters written once.
    After the last letter of a run stands its length, if above 1."""
    short_ = ''
    run_ = 0
    for place_, letter_ in enumerate(text_):
        run_ += 1
        if text_[place_ + 1:place_ + 2] != letter_:
            short_ += letter_ + (str(run_) if run_ > 1 else '')
            run_ = 0
    return short_


#: f_(text, text) -> int; k_ = 1..3
def f_(left_, right_):
    """Return how many letters left_ and right_ share at the start.
    If one is the start of the other, add k_."""
    count_ = 0
    for one_, other_ in zip(left_, right_):
        if one_ != other_:
            return count_
        count_ += 1
    return count_ + k_


#: f_(text, small) -> text; c_ = '0'|'-'|'.'
def f_(text_, width_):
    """Return text_ with c_ added on the left up to width_ letters.
    If nothing is missing, return text_ in capitals."""
    missing_ = width_ - len(text_)
    if missing_ < 1:
        return text_.upper()
    return c_ * missing_ + text_


#: f_(dashed) -> words; k_ = 1..2
def f_(text_):
    """Return the parts of text_ between dashes that have more than k_ letters.
    The last part is kept in any case."""
    parts_ = text_.split('-')
    kept_ = [part_ for part_ in parts_[:-1] if len(part_) > k_]
    return kept_ + parts_[-1:]
