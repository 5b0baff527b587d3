"""EM: error-minimising noise, sample-wise (``em``) and class-wise (``em_class``)."""
