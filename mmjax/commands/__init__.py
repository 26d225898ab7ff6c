"""The commands of `mmjax`; programs of `experiments` are the same under other names."""
